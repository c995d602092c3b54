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

/** The builds that the registry has records of. */
export interface PastBuilds {
  /** `age`: milliseconds that what is told may be old; default: 0. */
  find(tag: Tag, age?: number): Promise<PastBuild | undefined>;
  /** All of them, in no order. */
  tags(): Promise<readonly Tag[]>;
}
