import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../api/service.ts';
import { demand } from '../builds/failure.ts';
import { isFinished } from '../builds/fold.ts';
import type { CliContext } from './cli-io.ts';

/** `tributary logs TAG [STEP] [-f]`: the log of a step, or of every step that has begun, one after the other. */
export async function logs(
  context: CliContext,
  tag: string,
  step: string | undefined,
  follow: boolean,
): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService({ work: follow });
  const leaving = new AbortController();
  const { signal } = leaving;
  const stopListening = io.onInterrupt(() => (signal.aborted ? io.exit(130) : leaving.abort()));
  const { service } = opened;
  const steps = step === undefined ? begunSteps(service, tag, follow, signal) : [step];
  let shown = 0;
  try {
    for await (const id of steps) {
      const log = demand(await service.log(tag, id, follow, signal));
      if (step === undefined && !globals.json) io.out(`${shown > 0 ? '\n' : ''}==> ${id} <==\n`);
      shown += 1;
      for await (const text of log) {
        io.out(globals.json ? `${JSON.stringify({ step: id, text })}\n` : text);
      }
    }
    return 0;
  } finally {
    stopListening();
  }
}

/** Steps of a build that have begun; with `follow` also those that begin later, until the build ends. */
async function* begunSteps(
  service: Service,
  tag: string,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const told = new Set<string>();
  while (!signal.aborted) {
    const build = demand(await service.get(tag));
    const next = build.steps.find(({ id, startedAt }) => startedAt !== undefined && !told.has(id));
    if (next !== undefined) {
      told.add(next.id);
      yield next.id;
    } else if (!follow || isFinished(build.state)) return;
    else await sleep(300, undefined, { signal }).catch(() => {});
  }
}
