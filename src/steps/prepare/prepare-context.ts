import type { LoadedConfiguration } from '../../config/load-config.ts';
import type { Tag } from '../../plan/names.ts';
import type { Locate } from '../../product/place.ts';
import type { Mirrors } from '../../resolve/git-interface.ts';
import type { Builder, Registry } from '../step.ts';

/** What `prepare` has at hand. */
export interface PrepareContext {
  readonly tag: Tag;
  readonly mirrors: Mirrors;
  readonly registry: Registry;
  readonly builder: Builder;
  /** What the plan says of itself: `Plan.madeBy`. */
  readonly madeBy: string;
  readonly configuration: Pick<LoadedConfiguration, 'state' | 'url' | 'listen' | 'network'>;
  /** A folder of its own, removed afterwards. */
  readonly workdir: string;
  /** False: nothing is written anywhere but to mirrors (`tributary plan`). */
  readonly publish: boolean;
  /** False: commits that are made here are not exported, for nobody serves them from here. Default: true. */
  readonly exports?: boolean;
  /** True: what earlier builds found out is not recalled. */
  readonly rebuild: boolean;
  /** Places in product.yaml. */
  readonly locate: Locate;
  readonly signal: AbortSignal;
  log(text: string): void;
  progress(text: string): void;
}
