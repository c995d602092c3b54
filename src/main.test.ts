import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startService } from './main.ts';

let folder: string;
let config: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-main-'));
  config = join(folder, 'config.yaml');
  await writeFile(config, `state: ${folder}/state\nremotes: {a: {push: 127.0.0.1:1/a}}\n`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const product = new URL('../examples/demo/product.yaml', import.meta.url).pathname;
const start = (listen: string) => startService({ config, product, listen, environment: {} });

test('a free port is taken for port 0, and readiness tells what does not answer', async () => {
  const service = await start('127.0.0.1:0');
  const ready = await fetch(`${service.url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    {
      ready: false,
      checks: [
        { name: 'service', ok: true, detail: 'takes requests' },
        { name: 'registry a', ok: false, detail: expect.stringContaining('127.0.0.1:1') },
      ],
    },
  ]);
  await expect(start('127.0.0.1:0')).rejects.toThrow(`${service.url} works on`);
  await service.close();
});

test('a port that another program has is a mistake of the configuration, not a bug', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
  await expect(start(address)).rejects.toMatchObject({
    failures: [
      {
        reason: 'bad-configuration',
        detail: `Nothing can listen on ${address}: another program does.`,
      },
    ],
  });
  server.close();
});

test.for([
  ['no port', '127.0.0.1', 'no address'],
  ['a port that is none', '127.0.0.1:99999', 'no address'],
  ['every interface', '0.0.0.0:8080', 'not a loopback address'],
])('%s is refused', async ([, listen = '', detail = '']) => {
  await expect(start(listen)).rejects.toThrow(detail);
});
