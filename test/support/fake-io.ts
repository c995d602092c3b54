import type { CliIo } from '../../src/cli/cli-io.ts';

/** Thrown where a real process would be gone. */
const exited = new Error('the process exited');

/** A world for CLI tests: it notes what is written, and interrupts when it is told to. */
export class FakeIo implements CliIo {
  readonly written = { out: '', err: '' };
  readonly exits: number[] = [];
  input = '';
  terminal = false;
  columns = 100;
  rows = 40;
  time = Date.parse('2026-11-23T10:00:05Z');
  environment: Record<string, string> = { USER: 'ada' };
  private readonly interrupts = new Set<() => void>();
  private waitingFor: { test: (out: string) => boolean; times: number } | undefined;

  out(text: string): void {
    this.written.out += text;
    if (this.waitingFor?.test(this.written.out)) {
      const { times } = this.waitingFor;
      this.waitingFor = undefined;
      setImmediate(() => {
        for (let time = 0; time < times; time += 1) this.interrupt();
      });
    }
  }

  err(text: string): void {
    this.written.err += text;
  }

  async readInput(): Promise<string> {
    return this.input;
  }

  size() {
    return { columns: this.columns, rows: this.rows };
  }

  now(): number {
    return this.time;
  }

  /** Types Ctrl-C as soon as what was written satisfies `test`. */
  interruptWhen(test: (out: string) => boolean, times = 1): void {
    this.waitingFor = { test, times };
  }

  private interrupt(): void {
    for (const callback of this.interrupts) {
      try {
        callback();
      } catch (error) {
        if (error !== exited) throw error;
      }
    }
  }

  onInterrupt(callback: () => void): () => void {
    this.interrupts.add(callback);
    return () => this.interrupts.delete(callback);
  }

  exit(code: number): never {
    this.exits.push(code);
    throw exited;
  }
}
