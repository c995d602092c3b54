import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestCluster, TestNamespace } from './cluster.ts';

/** A port of this machine that leads to the service of a namespace. */
export interface PortForward extends Disposable {
  readonly url: string;
}

/** Starts `kubectl port-forward`, which chooses the port; `to`: one of its pods, `pod/NAME`. */
export async function portForward(
  { kubeconfig }: TestCluster,
  { name }: TestNamespace,
  to = 'service/tributary',
): Promise<PortForward> {
  const child: ChildProcess = spawn(
    'kubectl',
    [...['--kubeconfig', kubeconfig, '--namespace', name], ...['port-forward', to, ':8080']],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...process.env,
        PATH: `${join(import.meta.dirname, '../../.tools/bin')}:${process.env['PATH']}`,
      },
    },
  );
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  child.stdout?.resume();
  const [, port] = /127\.0\.0\.1:(\d+)/.exec(line.toString()) ?? [];
  return { url: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void child.kill() };
}
