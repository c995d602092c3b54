import type { Build } from '../builds/build.ts';
import { demand } from '../builds/failure.ts';
import type { CliContext, OpenedService } from './cli-io.ts';
import { type Follower, liveTree } from './render/live-tree.ts';
import { plainLines } from './render/plain-lines.ts';
import { styleOf } from './render/style.ts';

/** What Ctrl-C means while a build is followed: `cancel` it (this command asked for it), or just `leave`. */
export type OnInterrupt = 'cancel' | 'leave';

/**
 * Shows a build until it ends: a live tree on a terminal, lines in a pipe, with `--json` one event
 * per line (or nothing, where `quiet`). Gives the build as it ended, or undefined where a watcher
 * left before.
 */
export async function followBuild(
  context: CliContext,
  { service }: Pick<OpenedService, 'service'>,
  tag: string,
  options: { readonly onInterrupt: OnInterrupt; readonly quiet: boolean },
): Promise<Build | undefined> {
  const { io } = context;
  const leaving = new AbortController();
  const { attempt } = demand(await service.get(tag));
  const events = demand(await service.events(tag, leaving.signal));
  const follower = options.quiet ? silent : followerOf(context, tag);
  let interrupts = 0;
  let cancelling: Promise<unknown> = Promise.resolve();
  const stopListening = io.onInterrupt(() => {
    interrupts += 1;
    if (options.onInterrupt === 'leave') leaving.abort();
    else if (interrupts === 1) {
      // Whoever types Ctrl-C after the end meets `already-finished`: no failure.
      cancelling = service.cancel(tag).catch(() => {});
    } else {
      follower.end();
      io.exit(130);
    }
  });
  try {
    for await (const event of events) {
      // What became of earlier attempts is over.
      if (event.attempt >= attempt) follower.event(event);
    }
  } catch (error) {
    if (!leaving.signal.aborted) throw error;
  } finally {
    await cancelling;
    follower.end();
    stopListening();
  }
  return leaving.signal.aborted ? undefined : demand(await service.get(tag));
}

const silent: Follower = { event: () => {}, end: () => {} };

function followerOf({ io, globals }: CliContext, tag: string): Follower {
  if (globals.json)
    return { event: (event) => io.out(`${JSON.stringify(event)}\n`), end: () => {} };
  if (io.terminal) return liveTree(tag, io, styleOf(io, globals));
  return { event: plainLines(tag, (text) => io.out(text)), end: () => {} };
}
