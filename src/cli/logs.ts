import { demand } from '../builds/failure.ts';
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
  const stopListening = io.onInterrupt(() => (leaving.signal.aborted ? io.exit(130) : leaving.abort()));
  try {
    const shown = new Set<string>();
    for (;;) {
      const build = demand(await opened.service.get(tag));
      const begun = build.steps.filter(({ id, startedAt }) => startedAt !== undefined && !shown.has(id));
      const next = step ?? begun[0]?.id;
      if (next === undefined) {
        if (!follow || !['queued', 'running'].includes(build.state) || leaving.signal.aborted) return 0;
        await new Promise((resolve) => setTimeout(resolve, 300));
        continue;
      }
      shown.add(next);
      if (step === undefined && !globals.json) io.out(`${shown.size > 1 ? '\n' : ''}==> ${next} <==\n`);
      const log = demand(await opened.service.log(tag, next, follow, leaving.signal));
      for await (const text of log) {
        io.out(globals.json ? `${JSON.stringify({ step: next, text })}\n` : text);
      }
      if (step !== undefined || leaving.signal.aborted) return 0;
    }
  } finally {
    stopListening();
  }
}
