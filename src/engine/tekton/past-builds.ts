import type { AskedBuild, Build } from '../../builds/build.ts';
import type { BuildEvent } from '../../builds/event.ts';
import type { Tag } from '../../plan/names.ts';

/** A build whose run is gone, as its record tells it. */
export interface PastBuild {
  readonly asked: AskedBuild;
  readonly build: Build;
  /** Of its last attempt. */
  readonly events: readonly BuildEvent[];
  /** Text of the log of a step. */
  log(step: string): Promise<string | undefined>;
}

/** By what a list finds a past build, and where it puts it: little enough to be kept of every record. */
export interface PastSummary
  extends Pick<Build, 'tag' | 'name' | 'state' | 'createdAt' | 'requester'> {
  readonly components: readonly string[];
}

/** The builds that the registry has records of. */
export interface PastBuilds {
  find(tag: Tag): Promise<PastBuild | undefined>;
  /** What it was within the last hour. */
  summary(tag: Tag): Promise<PastSummary | undefined>;
  /** All of them, in no order. */
  tags(): Promise<readonly Tag[]>;
}

/** What is kept of a past build for lists. */
export function summarize({ asked, build }: PastBuild): PastSummary {
  const { tag, state, createdAt } = build;
  const { lock, read, requester } = asked;
  return { tag, name: lock.name, state, createdAt, requester, components: Object.keys(read) };
}
