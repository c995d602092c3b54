import { z } from 'zod';
import { FailureError } from '../../builds/failure.ts';
import { run } from '../processes/command.ts';

/** The program that a kubeconfig names to get a token. */
export interface TokenProgram {
  readonly command: string;
  readonly apiVersion: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

/** What it prints (https://kubernetes.io/docs/reference/config-api/client-authentication.v1/). */
const ExecCredential = z.object({
  status: z.object({
    token: z.string().min(1).optional(),
    expirationTimestamp: z.iso.datetime({ offset: true }).optional(),
  }),
});

/** Milliseconds for which a token without an end counts, and before its end from which on it does not. */
const usual = 5 * 60_000;
const margin = 60_000;

/**
 * The token that a program gives, as `kubectl` gets it; asked again when it has come to its end. Undefined where it gives a
 * certificate instead. Throws FailureError `not-authenticated` where it gives nothing.
 */
export function execToken(
  program: TokenProgram,
  now: () => number = Date.now,
): () => Promise<string | undefined> {
  let known: { readonly token: string | undefined; readonly until: number } | undefined;
  return async () => {
    if (known === undefined || now() >= known.until) {
      const { token, expirationTimestamp } = await ask(program);
      const end = expirationTimestamp === undefined ? undefined : Date.parse(expirationTimestamp);
      known = { token, until: end === undefined ? now() + usual : end - margin };
    }
    return known.token;
  };
}

async function ask({ command, apiVersion, args, env }: TokenProgram) {
  const info = { apiVersion, kind: 'ExecCredential', spec: { interactive: false } };
  const { exitCode, stdout, stderr } = await run(command, args, {
    cwd: '/',
    // It is the user's own program, and finds what it needs as `kubectl` would let it.
    inherit: Object.keys(process.env),
    env: {
      ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(info),
    },
    timeout: 60_000,
    secrets: [],
  });
  const parsed = exitCode === 0 ? ExecCredential.safeParse(parse(stdout.toString())) : undefined;
  if (parsed?.success) return parsed.data.status;
  const why = exitCode === 0 ? 'it prints no ExecCredential' : stderr.trim().split('\n').at(-1);
  throw new FailureError({
    reason: 'not-authenticated',
    detail: `The program ${command}, which the kubeconfig names, gives no token: ${why || `it ends with ${exitCode}`}.`,
    hint: 'Log in to the cluster again, or give a token: TRIBUTARY_TOKEN="$(kubectl create token SERVICEACCOUNT)" in the environment.',
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
