import type { Submitted } from '../api/answers.ts';
import type { Build } from '../builds/build.ts';
import { demand, FailureError } from '../builds/failure.ts';
import { isFinished } from '../builds/fold.ts';
import { assembleBody, type RequestFlags } from './assemble-body.ts';
import type { CliContext, OpenedService } from './cli-io.ts';
import { exitCodeOfBuild } from './exit-codes.ts';
import { followBuild } from './follow-build.ts';
import { renderFailures } from './print-failures.ts';
import { styleOf } from './render/style.ts';
import { renderSummary } from './render/summary.ts';
import { requesterHere } from './requester-here.ts';

/** `tributary build REF… --name N`: asks for a build and follows it to its end. */
export async function build(
  context: CliContext,
  refs: readonly string[],
  flags: RequestFlags & { readonly wait: boolean },
): Promise<number> {
  await using opened = await context.openService({ work: true });
  if (!flags.wait && opened.kind === 'local') throw new FailureError(nobodyBuilds);
  const body = await assembleBody(context, opened.service, refs, flags);
  const submitted = demand(await opened.service.submit(body, requesterHere(context.io)));
  announce(context, submitted);
  if (!flags.wait) {
    printAnswer(context, submitted);
    return exitCodeOfBuild(submitted);
  }
  if (submitted.outcome === 'known' && isFinished(submitted.state)) {
    await printBuild(context, opened, demand(await opened.service.get(submitted.tag)));
    if (submitted.failure !== null) adviseRerun(context, submitted);
    return exitCodeOfBuild(submitted);
  }
  // Somebody else's build is watched, never cancelled.
  const onInterrupt = submitted.outcome === 'known' ? 'leave' : 'cancel';
  return await followToEnd(context, opened, submitted.tag, { onInterrupt, quiet: true });
}

/** Follows a build, and ends with its summary (`--json`: the build); gives the exit code. */
export async function followToEnd(
  context: CliContext,
  opened: OpenedService,
  tag: string,
  options: {
    readonly onInterrupt: 'cancel' | 'leave';
    readonly quiet: boolean;
    readonly verbose?: boolean;
  },
): Promise<number> {
  const { io, globals } = context;
  const { onInterrupt, quiet, verbose } = options;
  const ended = await followBuild(context, opened, tag, {
    onInterrupt,
    quiet: quiet && globals.json,
  });
  if (ended === undefined) {
    if (!globals.json)
      io.err(`The build is not cancelled; tributary status ${tag} --follow goes on with it.\n`);
    return 0;
  }
  await printBuild(context, opened, ended, verbose);
  return exitCodeOfBuild(ended);
}

/** Prints a build: as JSON, or its summary (`verbose`: with proofs) with the commands to install it. */
export async function printBuild(
  context: CliContext,
  { service }: OpenedService,
  build: Build,
  verbose = false,
): Promise<void> {
  const { io, globals } = context;
  if (globals.json) {
    io.out(`${JSON.stringify(build)}\n`);
    return;
  }
  const install = build.state === 'succeeded' ? await service.install(build.tag) : undefined;
  const options = {
    style: styleOf(io, globals),
    short: io.terminal && !verbose,
    proofs: verbose,
  };
  io.out(`\n${renderSummary(build, install?.ok === true ? install.value : undefined, options)}`);
}

function announce({ io, globals }: CliContext, submitted: Submitted): void {
  if (globals.json) return;
  const style = styleOf(io, globals);
  const { tag, pipelinerun, outcome } = submitted;
  const known = {
    created: '',
    known: ', asked before',
    restarted: `, attempt ${submitted.attempt}`,
  }[outcome];
  io.out(`${style.bold(tag)}  ${pipelinerun}${known}\n`);
  const readings = Object.entries(submitted.components);
  if (readings.length === 0) io.out('  The product as it is: no ref was named.\n');
  for (const [component, { ref, as, commit, why }] of readings) {
    io.out(`  ${component}: ${ref} is ${commit.slice(0, 12)}, ${as}. ${why}\n`);
  }
}

/** The answer to a request that nobody waits for. */
function printAnswer(context: CliContext, submitted: Submitted): void {
  const { io, globals } = context;
  if (globals.json) io.out(`${JSON.stringify(submitted)}\n`);
  else if (submitted.failure !== null) {
    io.err(renderFailures([submitted.failure], styleOf(io, globals)));
    adviseRerun(context, submitted);
  }
}

function adviseRerun({ io, globals }: CliContext, { tag }: Submitted): void {
  if (!globals.json) io.err(`It failed before. To try again: tributary rerun ${tag}\n`);
}

const nobodyBuilds = {
  reason: 'bad-request',
  detail: '--no-wait was given, but no service runs that would go on building.',
  hint: 'Start one (tributary serve), name one with --server URL, or leave --no-wait out.',
} as const;
