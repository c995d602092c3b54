#!/usr/bin/env -S node --use-system-ca
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { argv, env, exit, report } from 'node:process';
import { setFlagsFromString } from 'node:v8';

// A service waits most of its life: it holds what it needs, and not what would make it a little quicker.
if (argv[2] === 'serve')
  for (const flag of ['--optimize-for-size', '--semi-space-growth-factor=1'])
    setFlagsFromString(flag);

// Compiled once, not at every start: halves the time before a step begins its work. Where the folder cannot be
// written, Node goes on without it.
enableCompileCache(join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tributary', 'node'));

// Whoever asks Node for diagnostic reports gets them without the environment, which may hold secrets.
if (report !== undefined) report.excludeEnv = true;

// `tributary step` is started hundreds of times: it loads nothing of the other verbs.
if (argv[2] === 'step') {
  const { step } = await import('./cli/step.ts');
  exit(await step(argv.slice(3)));
}
if (argv[2] === 'task') {
  const { task } = await import('./cli/task.ts');
  exit(await task(argv.slice(3)));
}
const { processIo } = await import('./cli/process-io.ts');
const { runCli } = await import('./cli/program.ts');
const { openService } = await import('./cli/open-service.ts');
// Whoever waits for another process has nothing that keeps Node running.
setInterval(() => {}, 2 ** 30);
exit(await runCli(argv.slice(2), processIo, openService));
