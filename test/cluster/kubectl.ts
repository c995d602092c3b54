import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';

/** Speaks to one cluster as its administrator: gives what it prints, and throws with what it complains of. */
export type Kubectl = (args: readonly string[], input?: string) => Promise<string>;

/** kubectl for the cluster of a kubeconfig: the one that scripts/go-tools.sh builds, else the machine's. */
export function kubectlFor(kubeconfig: string): Kubectl {
  const built = join(import.meta.dirname, '../../.tools/programs/kubernetes/kubernetes');
  const [program, first] = existsSync(built) ? [built, ['kubectl']] : ['kubectl', []];
  const always = [...first, '--kubeconfig', kubeconfig];
  return async (args, input = '') => {
    const { exitCode, stdout, stderr } = await run(program, [...always, ...args], {
      cwd: '/',
      input,
    });
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: exit ${exitCode}\n${stderr}`);
    return stdout.toString();
  };
}

/** Whether it ends well. */
export async function succeeds(kubectl: Kubectl, args: readonly string[]): Promise<boolean> {
  return kubectl(args).then(
    () => true,
    () => false,
  );
}
