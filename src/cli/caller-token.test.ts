import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { FakeService } from '../../test/support/fake-service.ts';
import { createApp } from '../api/app.ts';
import { createMetrics } from '../api/metrics.ts';
import { FailureError } from '../builds/failure.ts';
import { callerToken } from './caller-token.ts';
import { createRemoteService } from './remote-service.ts';

let folder: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-token-'));
  closing.push(() => rm(folder, { recursive: true }));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function kubeconfig(name: string, content: object | string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, typeof content === 'string' ? content : stringify(content));
  return file;
}

const config = (user: object, more: object = {}) => ({
  'current-context': 'work',
  contexts: [
    { name: 'other', context: { cluster: 'c', user: 'other' } },
    { name: 'work', context: { cluster: 'c', user: 'me', namespace: 'tributary' } },
  ],
  clusters: [{ name: 'c', cluster: { server: 'https://api.example.com:6443' } }],
  users: [
    { name: 'other', user: { token: 'of-another' } },
    { name: 'me', user },
  ],
  ...more,
});

async function tokenFrom(...files: readonly string[]): Promise<string> {
  return callerToken(undefined, { KUBECONFIG: files.join(':'), HOME: folder }).find();
}

async function refusalOf(work: Promise<unknown>) {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof FailureError)) throw new Error(`no failure: ${String(error)}`);
  return error.failures[0];
}

describe('the token of the current kubeconfig', () => {
  test('is that of the current context', async () => {
    expect(await tokenFrom(await kubeconfig('config', config({ token: 'mine' })))).toBe('mine');
  });

  test('may lie in a file, named from where the kubeconfig lies', async () => {
    await writeFile(join(folder, 'secret'), 'from-a-file\n');
    const file = await kubeconfig('config', config({ tokenFile: 'secret', token: 'old' }));
    expect(await tokenFrom(file)).toBe('from-a-file');
  });

  test('of several files, the first that says something counts; a missing one is none', async () => {
    const first = await kubeconfig('first', { users: [{ name: 'me', user: { token: 'first' } }] });
    const second = await kubeconfig('second', config({ token: 'second' }));
    expect(await tokenFrom(join(folder, 'missing'), first, second)).toBe('first');
  });

  test.for([
    ['a certificate', { 'client-certificate-data': 'eA==' }, 'a certificate'],
    ['a provider', { 'auth-provider': { name: 'oidc' } }, 'from oidc'],
    ['nothing', {}, 'no token'],
  ] as const)('%s instead of it is said, with what to do', async ([, user, text]) => {
    const file = await kubeconfig('config', config(user));
    expect(await refusalOf(tokenFrom(file))).toMatchObject({
      reason: 'not-authenticated',
      detail: expect.stringContaining(text),
      hint: expect.stringContaining('TRIBUTARY_TOKEN'),
    });
  });

  async function program(script: string): Promise<object> {
    const command = join(folder, 'authenticator');
    await writeFile(command, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { exec: { command, args: ['get'], env: [{ name: 'WHO', value: 'ada' }] } };
  }

  test('may be what a program gives, which is run as kubectl does', async () => {
    const user = await program(
      `case "$KUBERNETES_EXEC_INFO" in *ExecCredential*) echo '{"status": {"token": "'$1-$WHO'"}}';; esac`,
    );
    expect(await tokenFrom(await kubeconfig('config', config(user)))).toBe('get-ada');
  });

  test.for([
    ['that fails', 'echo log in first >&2; exit 1', 'log in first'],
    ['that prints something else', 'echo secret-in-it', 'prints no ExecCredential'],
    [
      'that gives a certificate',
      `echo '{"status": {"clientCertificateData": "x"}}'`,
      'certificate',
    ],
  ] as const)('a program %s: said, with what to do', async ([, script, text]) => {
    const file = await kubeconfig('config', config(await program(script)));
    const failure = await refusalOf(tokenFrom(file));
    expect(failure).toMatchObject({
      reason: 'not-authenticated',
      detail: expect.stringContaining(text),
      hint: expect.stringContaining('TRIBUTARY_TOKEN'),
    });
    expect(failure.detail).not.toContain('secret-in-it');
  });

  test.for([
    ['there is no kubeconfig', undefined, 'no current context'],
    ['no context is the current one', config({}, { 'current-context': '' }), 'no current context'],
    ['the current one is missing', config({}, { 'current-context': 'x' }), 'no current context'],
    ['it is no YAML', 'a: [secret-in-it', 'no YAML'],
    ['it is something else', 'users: secret-in-it', 'users'],
  ] as const)('%s: said without what stands in it', async ([, content, text]) => {
    const file = content === undefined ? join(folder, 'no') : await kubeconfig('config', content);
    const failure = await refusalOf(tokenFrom(file));
    expect(failure.detail).toContain(text);
    expect(failure.detail).not.toContain('secret-in-it');
  });
});

describe('a token goes to the service that asks for it', () => {
  const asked: (string | undefined)[] = [];
  beforeEach(() => void asked.splice(0));

  async function serve(answer: (request: IncomingMessage, server: Server) => Answer) {
    const server = createServer((request, response) => {
      asked.push(request.headers.authorization);
      const { status, headers = {}, body = {} } = answer(request, server);
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closing.push(() => new Promise((done) => server.close(done)));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  interface Answer {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: object;
  }
  const challenge = { 'www-authenticate': 'Bearer realm="tributary"' };
  const asks = ({ headers }: IncomingMessage): Answer =>
    headers.authorization === undefined
      ? { status: 401, headers: challenge }
      : { status: 200, body: { builds: [], next: null } };

  async function connect(url: string, given?: string) {
    const file = await kubeconfig('config', config({ token: 'mine' }));
    const service = createRemoteService(url, callerToken(given, { KUBECONFIG: file }));
    closing.push(async () => service[Symbol.asyncDispose]());
    return service;
  }

  test('once it has asked, and with every request from then on', async () => {
    const service = await connect(await serve(asks));
    expect(await service.list({ limit: 1 }, 'ada')).toMatchObject({ ok: true });
    expect(await service.list({ limit: 1 }, 'ada')).toMatchObject({ ok: true });
    expect(asked).toEqual([undefined, 'Bearer mine', 'Bearer mine']);
  });

  test('never to one that does not ask: a service on a laptop, or another program', async () => {
    const laptop = await connect(await serve(() => ({ status: 200, body: { builds: [] } })));
    await laptop.list({ limit: 1 }, 'ada');
    const other = await connect(
      await serve(() => ({ status: 401, headers: { 'www-authenticate': 'Bearer realm="other"' } })),
    );
    expect(await other.list({ limit: 1 }, 'ada')).toMatchObject({ ok: false });
    expect(asked).toEqual([undefined, undefined]);
  });

  test('and one that was given, at once', async () => {
    const service = await connect(await serve(asks), 'given');
    await service.list({ limit: 1 }, 'ada');
    expect(asked).toEqual(['Bearer given']);
  });

  test('one that is refused is not tried again', async () => {
    const service = await connect(await serve(() => ({ status: 401, headers: challenge })));
    await service.list({ limit: 1 }, 'ada');
    expect(asked).toEqual([undefined, 'Bearer mine']);
  });

  test('and to nobody whom it names by a redirect', async () => {
    const elsewhere = await serve(() => ({ status: 200 }));
    const url = await serve((request) =>
      request.headers.authorization === undefined
        ? { status: 401, headers: challenge }
        : { status: 307, headers: { location: `${elsewhere}/api/builds` } },
    );
    const service = await connect(url);
    expect(await service.list({ limit: 1 }, 'ada')).toMatchObject({
      ok: false,
      failures: [{ detail: expect.stringContaining(`sends on to ${elsewhere}`) }],
    });
    expect(asked).toEqual([undefined, 'Bearer mine']);
  });

  test.for([
    'http://tributary.example.com',
    'http://10.0.0.1:8080',
    'http://127.0.0.1.example.com',
  ])('and not over plain HTTP to %s', async (url) => {
    const failure = await refusalOf(connect(url, 'given'));
    expect(failure).toMatchObject({
      reason: 'bad-request',
      detail: expect.stringContaining('plain HTTP'),
      hint: expect.stringContaining('https://'),
    });
    expect(JSON.stringify(failure)).not.toContain('given"');
  });

  test('an event stream is asked for with it, too', async () => {
    const behind = new FakeService();
    const app = await createApp({
      service: behind,
      git: { advertise: async () => undefined, uploadPack: async () => undefined },
      metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
      hosts: [],
      closing: new AbortController().signal,
      guard: {
        access: {
          identify: async (token) =>
            token === 'mine' ? { user: 'me', groups: [], extra: {} } : undefined,
          allows: async () => true,
          knows: () => false,
        },
        ...{ namespace: 'tributary', perMinute: 100, now: () => 0 },
      },
    });
    closing.push(() => app.close());
    const service = await connect(await app.listen({ host: '127.0.0.1', port: 0 }));
    const never = new AbortController().signal;
    const events = await service.events(behind.build.tag, never);
    expect(events.ok).toBe(true);
    await service.submit({ name: 'x' }, 'somebody else');
    expect(behind.requesters).toEqual(['me']);
  });
});
