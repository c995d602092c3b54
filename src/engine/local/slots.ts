interface Waiting {
  readonly order: number;
  readonly grant: () => void;
}

/** A right to run one step process, until it is released. */
export interface Slot {
  release(): void;
}

/** At most so many step processes at once, over all builds; the oldest build is served first. */
export class Slots {
  readonly count: number;
  #free: number;
  #waiting: Waiting[] = [];

  constructor(count: number) {
    this.count = count;
    this.#free = count;
  }

  /** Waits for a slot; undefined where `signal` came first. `order`: lower goes first. */
  acquire(order: number, signal: AbortSignal): Promise<Slot | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(this.#slot());
    }
    return new Promise((resolve) => {
      const leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        resolve(undefined);
      };
      const waiting: Waiting = {
        order,
        grant: () => {
          signal.removeEventListener('abort', leave);
          resolve(this.#slot());
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #slot(): Slot {
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#free += 1;
        this.#serve();
      },
    };
  }

  #serve(): void {
    if (this.#free === 0 || this.#waiting.length === 0) return;
    const first = this.#waiting.reduce((best, other) => (other.order < best.order ? other : best));
    this.#waiting = this.#waiting.filter((other) => other !== first);
    this.#free -= 1;
    first.grant();
  }
}
