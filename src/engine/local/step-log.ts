import type { BuildEvent } from '../../builds/event.ts';
import type { Tag } from '../../plan/names.ts';
import { logFile } from '../../steps/log-file.ts';
import type { Feeds } from './feeds.ts';
import { followLog } from './follow-log.ts';
import { attemptFolders } from './state-folder.ts';

export interface StepLogOptions {
  readonly state: string;
  readonly tag: Tag;
  readonly attempt: number;
  readonly step: string;
  readonly follow: boolean;
  readonly feeds: Feeds;
  readonly signal: AbortSignal;
}

/** The text of a step's log, as it is or followed until the step has its verdict. */
export async function* readStepLog(options: StepLogOptions): AsyncGenerator<string> {
  const { state, tag, attempt, step, feeds } = options;
  using reader = feeds.read(tag);
  const file = logFile(attemptFolders(state, tag, attempt).logs, step);
  let seen = 0;
  let over = false;
  const writer = {
    mayGrow: () => {
      for (const event of reader.events.slice(seen)) over ||= ends(event, step, attempt);
      seen = reader.events.length;
      return !over && !reader.isFinished();
    },
    changed: reader.changed,
  };
  yield* followLog(file, writer, options.follow, options.signal);
}

/** Whether nothing more is written to the log of a step of an attempt. */
function ends(event: BuildEvent, step: string, attempt: number): boolean {
  if (event.attempt > attempt) return true;
  if (event.attempt < attempt || !('step' in event) || event.step !== step) return false;
  return ['step-finished', 'step-failed', 'step-skipped'].includes(event.kind);
}
