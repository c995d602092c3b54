import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { FailureError } from '../../builds/failure.ts';

const text = z.string().min(1).optional();

const Cluster = z.object({
  server: z.url(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'insecure-skip-tls-verify': z.boolean().default(false),
  'tls-server-name': text,
});

const User = z.object({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
  exec: z
    .object({
      command: z.string().min(1),
      apiVersion: z.string().default('client.authentication.k8s.io/v1'),
      args: z.array(z.string()).nullish(),
      env: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
    })
    .nullish(),
  'auth-provider': z.object({ name: z.string() }).nullish(),
  username: text,
});

/** The fields of a kubeconfig that are read (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). */
const Kubeconfig = z.object({
  'current-context': z.string().nullish(),
  contexts: named(
    'context',
    z.object({ cluster: z.string(), user: z.string().default(''), namespace: text }),
  ),
  clusters: named('cluster', Cluster),
  users: named('user', User),
});

/** What `kubectl` would use: the current context, with the files that it names as they are from here. */
export interface CurrentContext {
  readonly name: string;
  /** The file that names it. */
  readonly file: string;
  readonly namespace: string | undefined;
  readonly cluster: z.infer<typeof Cluster> | undefined;
  readonly user: z.infer<typeof User> | undefined;
}

/**
 * Reads the files of KUBECONFIG, else `~/.kube/config`; of several, the first that says something counts. Throws
 * FailureError `bad-configuration` where there is none, or it cannot be understood.
 */
export async function readCurrentContext(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<CurrentContext> {
  const home = environment['HOME'] || homedir();
  const named = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  const files = named.length > 0 ? named : [join(home, '.kube', 'config')];
  const read = (await Promise.all(files.map(readOne))).flatMap((one) => one ?? []);
  const found = read.find(({ config }) => config['current-context']);
  if (found === undefined) throw noContext(files);
  const name = found.config['current-context'] ?? '';
  const context = pick(read, ({ contexts }) => contexts, name);
  if (context === undefined) throw noContext(files);
  return {
    ...{ name, file: found.file, namespace: context.namespace },
    cluster: pick(read, ({ clusters }) => clusters, context.cluster),
    user: pick(read, ({ users }) => users, context.user),
  };
}

interface Read {
  readonly file: string;
  readonly config: z.infer<typeof Kubeconfig>;
}

async function readOne(file: string): Promise<Read | undefined> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unusable(file, error.message);
  });
  if (content === undefined) return undefined;
  const parsed = Kubeconfig.safeParse(parseText(file, content));
  if (parsed.success) return { file, config: parsed.data };
  const [issue] = parsed.error.issues;
  throw unusable(file, `${issue?.path.join('.')}: ${issue?.message}`);
}

/** What stands in the file is not told: it is full of secrets. */
function parseText(file: string, content: string): unknown {
  try {
    return parse(content) ?? {};
  } catch {
    throw unusable(file, 'it is no YAML');
  }
}

/** The first entry of a name; paths in it are relative to its file. */
function pick<Value extends object>(
  read: readonly Read[],
  of: (config: Read['config']) => Readonly<Record<string, Value>>,
  name: string,
): Value | undefined {
  for (const { file, config } of read) {
    const value = of(config)[name];
    if (value === undefined) continue;
    const entries = Object.entries(value).map(([key, field]) => [
      key,
      isPath(key) && typeof field === 'string' ? resolve(dirname(file), field) : field,
    ]);
    return Object.fromEntries(entries) as Value;
  }
  return undefined;
}

function isPath(key: string): boolean {
  return ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'].includes(key);
}

/** A list of `{name, KEY: VALUE}` as a record by name. */
function named<Key extends string, Value extends z.ZodType>(key: Key, value: Value) {
  const entry = z.object({ name: z.string(), [key]: value });
  return z
    .array(entry)
    .nullish()
    .transform((list) => {
      const entries = (list ?? []).map((one) => {
        const { name, [key]: content } = one as Record<string, unknown>;
        return [String(name), content] as const;
      });
      // Of one name, the first counts, as for kubectl.
      return Object.fromEntries(entries.reverse()) as Record<string, z.infer<Value>>;
    });
}

function noContext(files: readonly string[]): FailureError {
  return new FailureError({
    reason: 'bad-configuration',
    detail: `There is no current context in ${files.join(', ')}.`,
    hint: 'Log in to the cluster (oc login), or choose a context: kubectl config use-context NAME.',
  });
}

function unusable(file: string, why: string): FailureError {
  return new FailureError({
    reason: 'bad-configuration',
    detail: `The kubeconfig ${file} cannot be used: ${why}.`,
    hint: 'Correct it, or name another with KUBECONFIG.',
  });
}
