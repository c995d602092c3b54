/** Characters of a log that are kept in memory while it is followed; of a longer one, the rest is read when it is kept. */
const most = 4 * 2 ** 20;

/** The log of a step as it grows, for any number of readers. */
export class FollowedLog {
  #text = '';
  #whole = true;
  #closed = false;
  #waiting: (() => void)[] = [];

  add(text: string): void {
    if (this.#closed || !this.#whole) return;
    if (this.#text.length + text.length > most) {
      this.#whole = false;
      this.#text += '(this log is long: the rest is shown when the step has ended)\n';
    } else this.#text += text;
    this.#wake();
  }

  /** Nothing more comes. `kept`: all of it, where it is known; `incomplete`: it is not known whether this is all. */
  close(kept: string | undefined, incomplete: boolean): void {
    if (this.#closed) return;
    if (kept !== undefined && !this.#whole) this.#text = kept;
    else if (kept?.startsWith(this.#text)) this.#text = kept;
    if (incomplete)
      this.#text += '[this log may lack its end: its pod was gone before it was kept]\n';
    this.#closed = true;
    this.#wake();
  }

  /** Its last lines. */
  tail(lines: number): readonly string[] {
    return this.#text.trim().split('\n').slice(-lines);
  }

  /** From its beginning; with `follow`, until it is closed. */
  async *read(follow: boolean, signal: AbortSignal): AsyncGenerator<string> {
    for (let at = 0; !signal.aborted; ) {
      const piece = this.#text.slice(at);
      at += piece.length;
      if (piece !== '') yield piece;
      else if (!follow || this.#closed) return;
      else await this.#changed(signal);
    }
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    this.#waiting.push(wake);
    signal.addEventListener('abort', wake, { once: true });
    await promise;
    signal.removeEventListener('abort', wake);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
