import { demand } from '../builds/failure.ts';
import { assembleBody, type RequestFlags } from './assemble-body.ts';
import type { CliContext } from './cli-io.ts';
import { renderPlan } from './render/plan-text.ts';
import { styleOf } from './render/style.ts';

/** `tributary plan REF…`: says what a build would do. */
export async function plan(
  context: CliContext,
  refs: readonly string[],
  flags: RequestFlags,
): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const body = await assembleBody(context, opened.service, refs, flags);
  const leaving = new AbortController();
  const stopListening = io.onInterrupt(() =>
    leaving.signal.aborted ? io.exit(130) : leaving.abort(),
  );
  try {
    // What is planned has a name; which one changes only the tag.
    const answer = demand(await opened.service.plan({ name: 'plan', ...body }, leaving.signal));
    io.out(globals.json ? `${JSON.stringify(answer)}\n` : renderPlan(answer, styleOf(io, globals)));
    return 0;
  } finally {
    stopListening();
  }
}
