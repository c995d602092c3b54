import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { createGit } from '../../src/adapters/git/git-command.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { ourselves, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { operatorProduct } from '../support/small-demo.ts';

/**
 * Secrets are planted wherever a configuration takes one; the git server and the registry demand theirs, and repeat in
 * their refusals what they were sent. Then everything that is kept, shown or seen by others is searched.
 */

const secrets = {
  git: 'git-p4ss/w0rd-zq',
  forge: 'forge-t0ken-zq',
  notify: 'notify-k3y-zq',
  push: 'push-p4ssword-zq',
  pull: 'pull-p4ssword-zq',
  bases: 'bases-p4ssword-zq',
  proxy: 'proxy-p4ssword-zq',
  wrong: 'wr0ng-p4ssword-zq',
  address: 'address-p4ssword-zq',
} as const;

/** That of `push`, for the registry. */
const htpasswd = 'robot:$2b$04$PSi.chGlgJwWhx5xsKjOeeeGVbc.b3r9HOfj6pnfNjo2pLVlDY/Cu\n';

const pairOf = (password: string) => Buffer.from(`robot:${password}`).toString('base64');
const forms = Object.values(secrets).flatMap((secret) => [
  ...[secret, encodeURIComponent(secret), pairOf(secret)],
  Buffer.from(secret).toString('base64'),
]);
const seenIn = (text: string) => forms.filter((form) => text.includes(form));

const folder = mkdtempSync(join(tmpdir(), 'tributary-secrets-'));
const log = join(folder, 'service.log');
/** All that the registry of the good rig keeps. */
const data = mkdtempSync(join(tmpdir(), 'tributary-registry-'));
const product = operatorProduct(inject('demo'));
const gates: Server[] = [];
let git: string;
let registry: string;
let locked: TestRegistry;
let good: ServiceRig;
let refused: ServiceRig;
let watch: { stop(): string[] };
const told: string[] = [];

beforeAll(async () => {
  const world = inject('demo');
  const users = join(folder, 'htpasswd');
  writeFileSync(users, htpasswd);
  locked = await startRegistry({ data, htpasswd: users });
  git = await gate(new URL(world.git).host, secrets.git);
  registry = await gate(world.registry, secrets.push);
  good = makeRig(locked.host, secrets.git, secrets.push, 'file');
  refused = makeRig(registry, secrets.wrong, secrets.wrong);
  watch = watchProcesses();
});
afterAll(async () => {
  for (const server of gates) server.close();
  await Promise.all([good, refused].map((rig) => rig[Symbol.asyncDispose]()));
  await locked.close();
  for (const made of [folder, data]) rmSync(made, { recursive: true });
});

test('a build reaches its end with its secrets, and no process of it can dump its memory', async () => {
  const service = await good.start();
  const { status, body } = await service.post('/api/builds', asked('works'));
  expect(status).toBe(201);
  await service.until(body.tag, ({ kind }) => kind === 'step-started');
  const limits = childrenOf(service.pid).map((pid) => readProc(pid, 'limits'));
  for (const limit of [readProc(service.pid, 'limits'), ...limits])
    if (limit !== '') expect(limit).toMatch(/core file size +1 +1 /);
  const build = await service.ended(body.tag);
  expect(build).toMatchObject({ state: 'succeeded', failure: null });
  await collect(service, body.tag);
  // The search looks into what is compressed: the records of the build name it.
  expect(blobsWith(data, [body.tag])).not.toEqual([]);
  await service.stop();
}, 240_000);

test('an address with a user name and password is refused without being repeated', async () => {
  const service = await good.start();
  const userinfo = `robot:${secrets.address}@`;
  const component = 'tektoncd/operator';
  const planted = plantUserinfo(userinfo);
  for (const [status, reason, request] of [
    [
      422,
      'bad-ref',
      { components: { [component]: `https://${userinfo}github.com/${component}#main` } },
    ],
    [
      422,
      'bad-ref',
      { components: { [component]: `ssh://${userinfo}github.com/${component}#main` } },
    ],
    [422, 'bad-ref', { components: {}, product: `https://${userinfo}github.com/a/b#main` }],
    [422, 'bad-product', { components: {}, product: planted }],
  ] as const) {
    const { status: got, body } = await service.post('/api/builds', { name: 'leaky', ...request });
    told.push(JSON.stringify(body));
    expect({ got, reason: body.reason, detail: body.detail }).toEqual({
      ...{ got: status, reason },
      detail: expect.stringContaining('user name or password'),
    });
  }
  await service.stop();
}, 60_000);

test('a git server that refuses is told without what it was sent', async () => {
  const service = await refused.start();
  const { status, body } = await service.post('/api/builds', asked('refused'));
  told.push(JSON.stringify(body));
  expect(status).toBeGreaterThanOrEqual(400);
  await service.stop();
  const planned = await refused.cli('plan', 'tektoncd/operator#1400');
  const examined = await refused.cli('doctor', '--json');
  told.push(JSON.stringify([planned, examined]));
}, 120_000);

test('what a server repeats of a credential is taken out of what git says', async () => {
  const { host } = new URL(git);
  const credentials = { [host]: { username: 'robot', password: secrets.wrong } };
  const said = await createGit({ urls: {}, credentials })(['ls-remote', `${git}a/b`]).then(
    () => '',
    (error: Error) => error.message,
  );
  expect(said).toContain('denied: Basic ***');
  expect(seenIn(said)).toEqual([]);
});

test('a registry that refuses is told without what it was sent', async () => {
  const rig = makeRig(registry, secrets.git, secrets.wrong);
  const service = await rig.start();
  const { body } = await service.post('/api/builds', asked('denied'));
  const build = await service.ended(body.tag);
  expect(build.failure).toMatchObject({ reason: 'registry-denied' });
  await collect(service, body.tag);
  await service.stop();
  expect(filesWith(rig.state)).toEqual([]);
  await rig[Symbol.asyncDispose]();
}, 120_000);

test('none of them stands in what was answered, kept or logged, nor on a command line', () => {
  // The search finds what is there: the files that hold them.
  expect(filesWith(folder)).not.toEqual([]);
  const onCommandLines = watch.stop();
  expect(onCommandLines).toEqual([]);
  expect(seenIn(told.join('\n'))).toEqual([]);
  expect(seenIn(readFileSync(log, 'utf8'))).toEqual([]);
  expect(readFileSync(log, 'utf8')).toContain('incoming request');
  for (const { state } of [good, refused]) expect(filesWith(state)).toEqual([]);
  expect(filesWith(join(inject('demo').repositories, '../registry'))).toEqual([]);
  expect(blobsWith(data, forms)).toEqual([]);
});

const asked = (name: string) => ({
  name,
  components: { 'tektoncd/operator': 'tektoncd/operator#1400' },
  notify: ['chat'],
});

/** Whatever the service answers about a build. */
async function collect(service: RunningService, tag: string): Promise<void> {
  const paths = ['', '/steps/prepare/log', '/install'].map((path) => `/api/builds/${tag}${path}`);
  for (const path of [
    ...paths,
    '/api/builds',
    '/api/components',
    '/metrics',
    '/readyz',
    '/nothing',
  ])
    told.push(JSON.stringify((await service.get(path)).body));
}

/** `from`: where the configuration says that the password of git is. */
function makeRig(
  host: string,
  gitPassword: string,
  pushPassword: string,
  from: 'env' | 'file' = 'env',
): ServiceRig {
  const file = (name: string, text: string) => {
    const path = join(mkdtempSync(join(folder, 'secret-')), name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const authfile = (host: string, password: string) =>
    file('auth.json', JSON.stringify({ auths: { [host]: { auth: pairOf(password) } } }));
  const world = inject('demo');
  const password =
    from === 'env' ? { env: 'GIT_PASSWORD' } : { file: file('git', `${gitPassword}\n`) };
  const wrapper = file(
    'as.sh',
    [
      ...(from === 'env' ? [`export GIT_PASSWORD='${gitPassword}'`] : []),
      `export TRIBUTARY_NOTIFY='${secrets.notify}' TRIBUTARY_LOG=trace`,
      `export http_proxy='http://robot:${secrets.proxy}@127.0.0.1:1' no_proxy=127.0.0.1`,
      `[ "$2" = serve ] && exec '${process.execPath}' "$@" >>'${log}' 2>&1`,
      `exec '${process.execPath}' "$@"`,
    ].join('\n'),
  );
  const remote = `${host}/secrets-${Math.random().toString(36).slice(2)}`;
  return serviceRig(
    world,
    {
      urls: { 'https://github.com/': `${git}` },
      git: {
        credentials: {
          [new URL(git).host]: { username: 'robot', password },
        },
      },
      forges: {
        'git.example.com': {
          api: 'http://127.0.0.1:1',
          token: { file: file('token', secrets.forge) },
        },
      },
      authfile: authfile(world.registry, secrets.bases),
      notify: { chat: { url: 'http://127.0.0.1:1/', secret: { env: 'TRIBUTARY_NOTIFY' } } },
      remotes: {
        demo: {
          ...{ push: remote, insecure: true, default: true },
          authfile: authfile(host, pushPassword),
          'pull-secret': authfile(host, secrets.pull),
        },
      },
    },
    {
      product: () => product,
      remote,
      as: { ...ourselves, command: (args) => ['/bin/sh', wrapper, ...args] },
    },
  );
}

/** A server in front of another that lets only one password through, and says to others what they sent. */
async function gate(host: string, password: string): Promise<string> {
  const [hostname, port] = host.split(':');
  const server = createServer((incoming, answer) => {
    const sent = incoming.headers.authorization;
    if (sent !== `Basic ${pairOf(password)}`) {
      const text = `denied: ${sent} ${Buffer.from(sent?.slice(6) ?? '', 'base64')}`;
      const registryError = JSON.stringify({ errors: [{ code: 'DENIED', message: text }] });
      const isRegistry = incoming.url?.startsWith('/v2/');
      answer.writeHead(sent === undefined ? 401 : 403, {
        'www-authenticate': 'Basic realm="gate"',
        'content-type': isRegistry ? 'application/json' : 'text/plain',
      });
      answer.end(isRegistry ? registryError : `${text}\n`);
      return;
    }
    const onward = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers },
      (from: IncomingMessage) => {
        answer.writeHead(from.statusCode ?? 500, from.headers);
        from.pipe(answer);
      },
    );
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  gates.push(server);
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return password === secrets.git ? `http://${address}/` : address;
}

/** Makes a branch of the productization repository that pins an address with a credential; gives its ref. */
function plantUserinfo(userinfo: string): string {
  const name = new URL(parse(product).repository).pathname.slice(1);
  const work = mkdtempSync(join(folder, 'product-'));
  const run = (...args: string[]) => execFileSync('git', ['-C', work, ...args]);
  run('clone', '--quiet', join(inject('demo').repositories, `${name}.git`), '.');
  const sources = join(work, 'upstream_sources.yaml');
  writeFileSync(sources, readFileSync(sources, 'utf8').replace('https://', `https://${userinfo}`));
  const person = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com'];
  run(...person, 'commit', '--quiet', '--all', '--message', 'Pin an address with a credential');
  run('push', '--quiet', 'origin', 'HEAD:refs/heads/leaky');
  return `${name}#leaky`;
}

/** Looks at every process of the machine, again and again: command lines with a secret, and environments that hold one needlessly. */
function watchProcesses() {
  const found = new Set<string>();
  const look = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const line = readProc(pid, 'cmdline');
      for (const form of seenIn(line)) found.add(`${form} in ${line}`);
      if (!/\bstep\0/.test(line)) continue;
      // The service signs notifications and asks forges: its steps need neither secret.
      const environment = readProc(pid, 'environ');
      for (const form of [secrets.notify, secrets.forge])
        if (environment.includes(form)) found.add(`${form} in the environment of a step`);
    }
  };
  const timer = setInterval(look, 20);
  return {
    stop() {
      clearInterval(timer);
      return [...found];
    },
  };
}

function readProc(pid: number | string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    return '';
  }
}

function childrenOf(parent: number): string[] {
  return readdirSync('/proc').filter(
    (pid) =>
      /^\d+$/.test(pid) &&
      readProc(pid, 'stat').split(') ').at(-1)?.split(' ')[1] === String(parent),
  );
}

/** Files below a folder that hold a secret in any form. */
function filesWith(root: string): string[] {
  const patterns = join(folder, 'patterns');
  writeFileSync(patterns, `${forms.join('\n')}\n`);
  const { stdout } = spawnSync('grep', ['-rlaF', '-f', patterns, root], { encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '');
}

/** Files below a folder that hold one of some words, however they are compressed. */
function blobsWith(root: string, words: readonly string[]): string[] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return files.filter((name) => {
    const path = join(root, name);
    if (!statSync(path).isFile()) return false;
    const text = unpacked(readFileSync(path)).toString('latin1');
    return words.some((word) => text.includes(word));
  });
}

function unpacked(bytes: Buffer): Buffer {
  if (bytes.subarray(0, 2).equals(Buffer.from('1f8b', 'hex'))) return gunzipSync(bytes);
  if (bytes.subarray(0, 4).equals(Buffer.from('28b52ffd', 'hex'))) return zstdDecompressSync(bytes);
  return bytes;
}
