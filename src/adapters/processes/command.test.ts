import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FailureError } from '../../builds/failure.ts';
import { run, startProcess } from './command.ts';

let cwd = '';
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'command-'));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

test('gives exit code and both streams', async () => {
  const result = await run('sh', ['-c', 'echo out; echo err >&2; exit 3'], { cwd });
  expect(result).toMatchObject({ exitCode: 3, signal: null, stderr: 'err\n', timedOut: false });
  expect(result.stdout.toString()).toBe('out\n');
});

test('passes arguments as they are, and input to stdin', async () => {
  const result = await run('sh', ['-c', 'printf "%s|" "$@"; cat', 'sh', '$(id)', '; ls', ''], {
    cwd,
    input: 'hello',
  });
  expect(result.stdout.toString()).toBe('$(id)|; ls||hello');
});

test('does not fail where a program ends without reading its input', async () => {
  const result = await run('true', [], { cwd, input: Buffer.alloc(2 ** 20) });
  expect(result.exitCode).toBe(0);
});

test('passes on no environment but PATH, HOME, TMPDIR, LANG and what it is told', async () => {
  vi.stubEnv('TMPDIR', cwd);
  process.env['TRIBUTARY_TEST_SECRET'] = 'secret';
  process.env['TRIBUTARY_TEST_ASKED'] = 'asked';
  const result = await run('env', [], {
    cwd,
    env: { A: '1' },
    inherit: ['TRIBUTARY_TEST_ASKED', 'TRIBUTARY_TEST_UNSET'],
  });
  delete process.env['TRIBUTARY_TEST_SECRET'];
  delete process.env['TRIBUTARY_TEST_ASKED'];
  vi.unstubAllEnvs();
  const names = result.stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0]);
  expect(names.sort()).toEqual(['A', 'HOME', 'LANG', 'PATH', 'TMPDIR', 'TRIBUTARY_TEST_ASKED']);
});

test('keeps the end of long output, and says so', async () => {
  const result = await run('sh', ['-c', 'seq 1 50000; seq 1 50000 >&2'], { cwd, maxOutput: 12 });
  expect(result.stdout.toString()).toBe('49999\n50000\n');
  expect(result.stderr).toBe('49999\n50000\n');
  expect(result.truncated).toBe(true);
});

test('hands on output while the program runs', async () => {
  const pieces: string[] = [];
  await run('sh', ['-c', 'echo a; echo b >&2'], { cwd, onOutput: (text) => pieces.push(text) });
  expect(pieces.sort()).toEqual(['a\n', 'b\n']);
});

test.for([
  ['git-that-is-not-there', 'apt-get install git-that-is-not-there'],
  ['/no/such/file', '/no/such/file'],
])('a missing program %s is a failure that says what to do', async ([program, hint]) => {
  const error = await run(program as string, [], { cwd }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FailureError);
  expect((error as FailureError).failures[0]).toMatchObject({
    reason: 'tool-missing',
    hint: expect.stringContaining(hint as string),
  });
});

test('a missing working directory is no missing program', async () => {
  const error = await run('true', [], { cwd: join(cwd, 'gone') }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).not.toBeInstanceOf(FailureError);
});

test('ends the whole group after the timeout, also children that ignore SIGTERM', async () => {
  const started = Date.now();
  const result = await run(
    'sh',
    ['-c', "trap '' TERM; sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 1; done\" & wait"],
    { cwd, timeout: 200 },
  );
  expect(result).toMatchObject({ timedOut: true, signal: 'SIGKILL', exitCode: 137 });
  expect(Date.now() - started).toBeLessThan(8000);
  expect(await isRunning(Number(result.stdout.toString()))).toBe(false);
});

test('ends what neither moves a byte nor computes, and nothing else', async () => {
  const idle = 400;
  const silent = await run('sh', ['-c', 'sleep 60'], { cwd, idle });
  expect(silent).toMatchObject({ timedOut: true });
  const trickle = 'for i in 1 2 3 4 5 6 7 8 9 10; do echo $i; sleep 0.1; done';
  expect(await run('sh', ['-c', trickle], { cwd, idle })).toMatchObject({
    ...{ timedOut: false, exitCode: 0 },
  });
  const computing = 'i=0; while [ $i -lt 1500000 ]; do i=$((i + 1)); done';
  expect(await run('sh', ['-c', computing], { cwd, idle })).toMatchObject({ timedOut: false });
});

test('abort ends the group and throws the reason', async () => {
  const abort = new AbortController();
  let pid = 0;
  const running = run('sh', ['-c', 'sleep 300 & echo $!; wait'], {
    cwd,
    signal: abort.signal,
    onOutput: (text) => {
      pid = Number(text);
      abort.abort(new Error('cancelled by a person'));
    },
  });
  await expect(running).rejects.toThrow('cancelled by a person');
  expect(await isRunning(pid)).toBe(false);
});

test('starts nothing where the signal was aborted before', async () => {
  await expect(run('touch', ['made'], { cwd, signal: AbortSignal.abort() })).rejects.toThrow();
  expect((await run('ls', [], { cwd })).stdout.toString()).toBe('');
});

test('ends what a program leaves behind', async () => {
  const started = Date.now();
  const result = await run('sh', ['-c', 'sleep 300 & echo $!'], { cwd });
  expect(result.exitCode).toBe(0);
  expect(Date.now() - started).toBeLessThan(5000);
  expect(await isRunning(Number(result.stdout.toString()))).toBe(false);
});

test('does not wait for a process that left its group and holds the output open', async () => {
  const result = await run('sh', ['-c', 'setsid sh -c "sleep 4" & exit 0'], { cwd });
  expect(result.exitCode).toBe(0);
});

test('a long process has streams, file descriptor 3 and an end', async () => {
  const child = await startProcess('sh', ['-c', 'read line; echo "$line" >&3; exit 4'], {
    cwd,
    stdin: 'pipe',
    fd3: true,
  });
  let told = '';
  child.fd3?.on('data', (piece: Buffer) => {
    told += piece.toString();
  });
  child.stdout?.resume();
  child.stderr?.resume();
  child.stdin?.end('hello\n');
  expect(await child.exited).toEqual({ exitCode: 4, signal: null });
  expect(told).toBe('hello\n');
});

test('kill ends a long process', async () => {
  const child = await startProcess('sleep', ['300'], { cwd });
  expect(await child.kill()).toEqual({ exitCode: 143, signal: 'SIGTERM' });
});

async function isRunning(pid: number): Promise<boolean> {
  expect(pid).toBeGreaterThan(1);
  // A killed process whose parent is gone waits to be reaped by whoever adopted it.
  for (let attempt = 0; attempt < 20; attempt++) {
    const stat = await run('sh', ['-c', `cut -d' ' -f3 /proc/${pid}/stat 2>/dev/null`], {
      cwd: '/',
    });
    if (['', 'Z\n', 'X\n'].includes(stat.stdout.toString())) return false;
    await sleep(50);
  }
  return true;
}

test('secrets are taken out of what a program complains of, where they are named', async () => {
  const say = ['-c', 'echo "with s3cret-value to http://u:p@host.example.com/" >&2'];
  const secrets = ['s3cret-value'];
  expect((await run('sh', say, { cwd: '/', secrets })).stderr).toBe(
    'with *** to http://***@host.example.com/\n',
  );
  expect((await run('sh', say, { cwd: '/' })).stderr).toContain('s3cret-value');
});
