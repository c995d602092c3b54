/** Collects bytes as they come and keeps the last `limit` of them. */
export class TailBuffer {
  readonly #limit: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** Whether something was dropped. */
  truncated = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    // Trimmed only now and then: cutting at every piece would copy everything each time.
    if (this.#length > 2 * this.#limit + 65_536) this.#trim();
  }

  bytes(): Buffer {
    this.#trim();
    return Buffer.concat(this.#pieces);
  }

  #trim(): void {
    if (this.#length <= this.#limit) return;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [Buffer.from(all.subarray(all.length - this.#limit))];
    this.#length = this.#limit;
    this.truncated = true;
  }
}
