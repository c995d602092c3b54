import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { FailureError } from '../../builds/failure.ts';
import { createConfined } from './confined.ts';

const options = { cwd: tmpdir(), signal: new AbortController().signal };

test('gives output and exit code', async () => {
  const result = await createConfined().run(
    'sh',
    ['-c', 'echo out; echo err >&2; exit 3'],
    options,
  );
  expect(result).toMatchObject({ exitCode: 3, stderr: 'err\n' });
  expect(result.stdout.toString()).toBe('out\n');
});

test('it has no network and no environment of ours', async () => {
  process.env['TRIBUTARY_TEST_SECRET'] = 'host-secret';
  let asked = 0;
  const server = createServer((socket) => {
    asked++;
    socket.end('here');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const result = await createConfined().run(
    'sh',
    ['-c', `env; busybox nc -w 2 127.0.0.1 ${port} && echo connected`],
    options,
  );
  delete process.env['TRIBUTARY_TEST_SECRET'];
  server.close();
  expect(result.stdout.toString()).not.toMatch(/connected|host-secret/);
  expect(result.stdout.toString()).toContain('HOME=/nonexistent');
  expect(asked).toBe(0);
});

test('a program that is not there is a failure', async () => {
  const error = await createConfined()
    .run('kustomize-that-is-not-there', [], options)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FailureError);
  expect((error as FailureError).failures[0]).toMatchObject({ reason: 'tool-missing' });
});

test('one that takes too long is ended', async () => {
  const result = await createConfined(300).run('sleep', ['300'], options);
  expect(result.exitCode).toBe(137);
});
