import type { Build } from '../../builds/build.ts';
import type { Lock } from '../../plan/lock.ts';
import type { Tag } from '../../plan/names.ts';
import type { StepOutputs } from '../../plan/plan.ts';
import type { ProductText } from '../../product/place.ts';
import type { Product } from '../../product/product.ts';
import type { StepMessage } from '../../steps/step-message.ts';
import type { AttemptFolders } from './state-folder.ts';

/** Steps that run one after the other in one process. */
export interface Unit {
  readonly tag: Tag;
  readonly attempt: number;
  readonly steps: readonly [string, ...string[]];
  readonly rebuild: boolean;
  /**
   * `prepare` gets the lock, every other step the plan file and what was made before it; `report` the build, too, and
   * the lock where there is no plan.
   */
  readonly input:
    | {
        readonly kind: 'lock';
        readonly lock: Lock;
        readonly product: Product;
        readonly productText: ProductText | undefined;
        readonly build?: Build;
      }
    | {
        readonly kind: 'plan';
        readonly file: string;
        readonly outputs: StepOutputs;
        readonly build?: Build;
      };
  readonly folders: AttemptFolders;
  /** A new, empty folder of its own; removed when the process is gone. */
  readonly workdir: string;
}

/** How a unit's process ended. */
export interface UnitEnd {
  readonly exitCode: number;
  readonly signal: string | null;
  /** The end of what it printed by itself. */
  readonly lastLines: string;
  /** True: it was ended because a step took longer than allowed. */
  readonly timedOut: boolean;
}

/** A unit's process. */
export interface RunningUnit {
  /** Settles when no process of it is left and every message was told; never rejects. */
  readonly ended: Promise<UnitEnd>;
  /** Ends it and all its descendants at once; settles with `ended`. */
  kill(): Promise<void>;
}

/**
 * Starts the process of a unit. `tell` is called for each message, in order. Throws FailureError
 * where it cannot be started.
 */
export type StartUnit = (unit: Unit, tell: (message: StepMessage) => void) => Promise<RunningUnit>;
