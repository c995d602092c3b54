import type { Build } from '../../builds/build.ts';
import type { Lock } from '../../plan/lock.ts';
import type { Tag } from '../../plan/names.ts';
import type { StepOutputs } from '../../plan/plan.ts';
import type { ProductText } from '../../product/place.ts';
import type { Product } from '../../product/product.ts';
import type { StepMessage } from '../../steps/step-message.ts';
import type { AttemptFolders } from './state-folder.ts';

/** Steps that run one after the other in one process, but for those at the beginning that may run at once. */
export interface Unit {
  readonly tag: Tag;
  readonly attempt: number;
  readonly steps: readonly [string, ...string[]];
  readonly rebuild: boolean;
  /** So many of the first steps run at once: they are done already, and only looked up. Default: none. */
  readonly atOnce?: number;
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
}

/** How a unit ended. */
export interface UnitEnd {
  readonly exitCode: number;
  readonly signal: string | null;
  /** The end of what it printed by itself. */
  readonly lastLines: string;
  /** True: its process was ended because a step took longer than allowed. */
  readonly timedOut: boolean;
}

/** A unit that a process works on. */
export interface RunningUnit {
  /** Settles when every message was told; where it failed, when no process is left either. Never rejects. */
  readonly ended: Promise<UnitEnd>;
  /** Ends its process with all descendants at once; settles with `ended`. */
  kill(): Promise<void>;
}

/**
 * Begins a unit in a process of its attempt that has nothing else to do. `tell` is called for each message, in order. Throws FailureError
 * where no process can be started.
 */
export type StartUnit = (unit: Unit, tell: (message: StepMessage) => void) => Promise<RunningUnit>;
