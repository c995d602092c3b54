#!/usr/bin/env node
import { argv, exit } from 'node:process';
import { processIo } from './cli/process-io.ts';

// `tributary step` is started hundreds of times: it loads nothing of the other verbs.
if (argv[2] === 'step') {
  const { step } = await import('./cli/step.ts');
  exit(await step(argv.slice(3)));
}
const { runCli } = await import('./cli/program.ts');
const { openService } = await import('./cli/open-service.ts');
exit(await runCli(argv.slice(2), processIo, openService));
