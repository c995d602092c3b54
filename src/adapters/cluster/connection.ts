import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import { execToken } from './exec-token.ts';
import { type CurrentContext, readCurrentContext } from './kubeconfig.ts';

/** Where the API server of a cluster is, and how one proves who one is. */
export interface Connection {
  /** Without a slash at the end. */
  readonly server: string;
  readonly tls: {
    readonly ca?: string | Buffer;
    readonly cert?: string | Buffer;
    readonly key?: string | Buffer;
    readonly rejectUnauthorized: boolean;
    readonly servername?: string;
  };
  /** Read at every request: a kubelet renews tokens. Undefined: a certificate says who we are. */
  token(): Promise<string | undefined>;
  readonly namespace: string;
}

/** Where the kubelet mounts what a pod needs to reach the API server. */
const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';

/** As pods connect, where this is one; else as `kubectl` does. Throws FailureError `bad-configuration`. */
export async function findConnection(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Connection> {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  if (host === undefined || host === '' || environment['KUBECONFIG'])
    return connectionOf(await readCurrentContext(environment));
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    tls: { ca: await readMounted('ca.crt'), rejectUnauthorized: true },
    token: () => readMounted('token'),
    namespace: await readMounted('namespace'),
  };
}

/** Where one user is of a kubeconfig. */
async function connectionOf({
  name,
  file,
  namespace,
  cluster,
  user,
}: CurrentContext): Promise<Connection> {
  if (cluster === undefined) throw incomplete(name, file, 'its cluster');
  const ca = await content(cluster['certificate-authority'], cluster['certificate-authority-data']);
  const cert = await content(user?.['client-certificate'], user?.['client-certificate-data']);
  const key = await content(user?.['client-key'], user?.['client-key-data']);
  const servername = cluster['tls-server-name'];
  return {
    server: cluster.server.replace(/\/+$/, ''),
    tls: {
      rejectUnauthorized: !cluster['insecure-skip-tls-verify'],
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
    },
    token: tokenSourceOf(user),
    namespace: namespace ?? 'default',
  };
}

/** Gets the token of a user of a kubeconfig; undefined where there is none. */
export function tokenSourceOf(user: CurrentContext['user']): () => Promise<string | undefined> {
  const { token, tokenFile: file, exec } = user ?? {};
  if (file !== undefined) return async () => (await readFileOf(file)).trim();
  if (token !== undefined || !exec) return async () => token;
  return execToken({ ...exec, args: exec.args ?? [], env: exec.env ?? [] });
}

async function content(
  file: string | undefined,
  data: string | undefined,
): Promise<string | Buffer | undefined> {
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : readFileOf(file);
}

async function readMounted(name: string): Promise<string> {
  return (await readFileOf(join(mounted, name))).trim();
}

async function readFileOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: Error) => {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `${path}, which says how to reach the cluster, cannot be read: ${error.message}.`,
      hint: 'A pod needs a ServiceAccount whose token is mounted; elsewhere, correct the kubeconfig that names the file.',
    });
  });
}

function incomplete(name: string, file: string, what: string): FailureError {
  return new FailureError({
    reason: 'bad-configuration',
    detail: `The context ${name} in ${file} names ${what}, which is not there.`,
    hint: 'Choose another context: kubectl config use-context NAME.',
  });
}
