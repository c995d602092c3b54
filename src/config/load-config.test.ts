import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FailureError } from '../builds/failure.ts';
import { findConfiguration, loadConfiguration, readSecret } from './load-config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function load(text: string, environment: Record<string, string> = { HOME: '/home/ada' }) {
  const file = join(folder, 'config.yaml');
  await writeFile(file, text);
  return loadConfiguration(file, environment);
}

async function problemsOf(text: string): Promise<string[]> {
  const error = await load(text).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof FailureError)) throw new Error('expected a FailureError');
  expect(new Set(error.failures.map(({ reason }) => reason))).toEqual(
    new Set(['bad-configuration']),
  );
  return error.failures.map(({ detail }) => detail.replace(`${folder}/`, ''));
}

describe('loadConfiguration', () => {
  test('fills in defaults, and the only remote is the default one', async () => {
    const configuration = await load('remotes:\n  demo: {push: 127.0.0.1:5000/demo}\n');
    expect(configuration).toMatchObject({
      listen: '127.0.0.1:8080',
      state: '/home/ada/.local/state/tributary',
      file: join(folder, 'config.yaml'),
      remotes: { demo: { push: '127.0.0.1:5000/demo', default: true, insecure: false } },
      limits: { builds: 2, 'step-minutes': 60 },
      tools: { kustomize: 'kustomize', runtime: 'runc' },
    });
  });

  test('callers of a cluster may come over a network', async () => {
    const configuration = await load(
      'listen: 0.0.0.0:8080\nremotes: {a: {push: r}}\naccess: {callers: kubernetes, trust: {owners: [tektoncd, gitlab.com/group]}}\n',
    );
    expect(configuration.access).toMatchObject({
      ...{ callers: 'kubernetes', 'requests-per-minute': 600, audiences: [] },
      trust: { owners: ['tektoncd', 'gitlab.com/group'] },
    });
  });

  test('reads paths relative to the file, and ~ as the home folder', async () => {
    const configuration = await load(`
state: state
authfile: ~/auth.json
git: {credentials: {git.example.com: {username: bot, password: {file: keys/git}}}, ca: ca.pem}
remotes:
  demo: {push: r/demo, authfile: push.json, pull-secret: /etc/pull.json}
notify:
  team: {url: https://hooks.example.com, secret: {file: notify.key}}
`);
    expect(configuration).toMatchObject({
      state: join(folder, 'state'),
      authfile: '/home/ada/auth.json',
      git: {
        ca: join(folder, 'ca.pem'),
        credentials: { 'git.example.com': { password: { file: join(folder, 'keys/git') } } },
      },
      remotes: { demo: { authfile: join(folder, 'push.json'), 'pull-secret': '/etc/pull.json' } },
      notify: { team: { secret: { file: join(folder, 'notify.key') } } },
    });
  });

  test('tells all problems at once, each with its line', async () => {
    const problems = await problemsOf(`
listen: 127.0.0.1
limts: {builds: 1}
remotes:
  demo:
    push: r/demo
    puhl: r/demo
`);
    expect(problems).toEqual([
      expect.stringContaining('config.yaml:2: `listen`:'),
      'config.yaml:7: `remotes.demo.puhl`: unknown key; did you mean `pull`?.',
      'config.yaml:3: `limts`: unknown key; did you mean `limits`?.',
    ]);
  });

  test.for([
    [
      'an address that others reach',
      'listen: 0.0.0.0:80\nremotes: {a: {push: r}}\n',
      'config.yaml:1: `listen`: 0.0.0.0:80 is not a loopback address',
    ],
    ['no remote', 'remotes: {}\n', 'config.yaml:1: `remotes`: name at least one'],
    [
      'two default remotes',
      'remotes:\n  a: {push: r, default: true}\n  b: {push: s, default: true}\n',
      'config.yaml:3: `remotes`: only one may be the default, not a and b',
    ],
    [
      'two remotes and no default',
      'remotes:\n  a: {push: r}\n  b: {push: s}\n',
      'mark one of them',
    ],
    ['a key written twice', 'state: a\nstate: b\n', 'config.yaml:2: Map keys must be unique'],
    ['broken YAML', 'remotes: {a: [}\n', 'config.yaml:1: '],
    ['an empty file', '', 'config.yaml:1: `remotes`: '],
  ] as const)('refuses %s', async ([, text, problem]) => {
    expect((await problemsOf(text))[0]).toContain(problem);
  });

  test('says where it looked when there is no file', async () => {
    const missing = loadConfiguration(undefined, { XDG_CONFIG_HOME: folder });
    await expect(missing).rejects.toThrow(
      `There is no configuration ${folder}/tributary/config.yaml`,
    );
  });
});

test.for([
  ['--config first', '/a.yaml', { TRIBUTARY_CONFIG: '/b.yaml', HOME: '/h' }, '/a.yaml'],
  ['then TRIBUTARY_CONFIG', undefined, { TRIBUTARY_CONFIG: '/b.yaml', HOME: '/h' }, '/b.yaml'],
  [
    'then XDG_CONFIG_HOME',
    undefined,
    { XDG_CONFIG_HOME: '/x', HOME: '/h' },
    '/x/tributary/config.yaml',
  ],
  [
    'a relative XDG_CONFIG_HOME is ignored',
    undefined,
    { XDG_CONFIG_HOME: 'x', HOME: '/h' },
    '/h/.config/tributary/config.yaml',
  ],
  ['then the home folder', undefined, { HOME: '/h' }, '/h/.config/tributary/config.yaml'],
] as const)('findConfiguration: %s', ([, file, environment, expected]) => {
  expect(findConfiguration(file, environment)).toBe(expected);
});

describe('readSecret', () => {
  test('reads a file without its line end, and an environment variable', async () => {
    await writeFile(join(folder, 'key'), 's3cret\n');
    expect(await readSecret({ file: join(folder, 'key') }, {})).toBe('s3cret');
    expect(await readSecret({ env: 'KEY' }, { KEY: 'other' })).toBe('other');
  });

  test('names what is missing', async () => {
    await expect(readSecret({ env: 'KEY' }, {})).rejects.toThrow('KEY is not set');
    await expect(readSecret({ file: '/nowhere' }, {})).rejects.toThrow('/nowhere cannot be read');
  });
});

describe('builds on a cluster', () => {
  const remotes = 'remotes: {demo: {push: r/demo}}\n';

  test('need the image that steps run in, and everything else has its usual value', async () => {
    expect(await problemsOf(`engine: tekton\n${remotes}`)).toEqual([
      expect.stringContaining('`engine`: builds on a cluster need `tekton: {image: …}`'),
    ]);
    const { tekton } = await load(
      `engine: tekton\ntekton: {image: r/tributary, kubeconfig: kube}\n${remotes}`,
    );
    expect(tekton).toMatchObject({
      image: 'r/tributary',
      pipeline: 'tributary',
      'service-account': 'tributary-build',
      kubeconfig: join(folder, 'kube'),
      tasks: { images: { 'timeout-minutes': 60, retries: 0, tolerations: [] } },
    });
  });

  test('refuses what no cluster would take, or would take for something else', async () => {
    const tekton = (text: string) => `engine: tekton\ntekton: {image: r/t, ${text}}\n${remotes}`;
    expect(await problemsOf(tekton('tasks: {images: {limits: {memory: 2 GB}}}'))).toEqual([
      expect.stringContaining('not a quantity such as `500m` or `2Gi`'),
    ]);
    expect(await problemsOf(tekton('tasks: {image: {}}'))).toEqual([
      expect.stringContaining('did you mean `images`?'),
    ]);
    expect(await problemsOf(`allow-unconfined: true\n${tekton('')}`)).toEqual([
      expect.stringContaining("no code runs with the service's rights"),
    ]);
  });
});
