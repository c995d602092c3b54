import type { Service } from '../api/service.ts';

/** The world of a command: where it writes, what it reads, who interrupts it. */
export interface CliIo {
  out(text: string): void;
  err(text: string): void;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** Whether stdout is a terminal: then there is a live tree. */
  readonly terminal: boolean;
  /** Width and height of the terminal, asked anew at every frame. */
  size(): { readonly columns: number; readonly rows: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back at Ctrl-C and SIGTERM, until the returned function is called. */
  onInterrupt(callback: () => void): () => void;
  /** Ends the process at once. */
  exit(code: number): never;
}

/** Options that every verb has. */
export interface GlobalOptions {
  readonly server?: string;
  /** Proves to the service who calls. */
  readonly token?: string;
  readonly product?: string;
  readonly config?: string;
  readonly json: boolean;
  readonly color: boolean;
}

/** A service to talk to, and what it is. */
export interface OpenedService extends AsyncDisposable {
  readonly service: Service;
  /** `remote`: another process builds, and goes on when this command ends. */
  readonly kind: 'remote' | 'local';
}

/** What every verb gets. */
export interface CliContext {
  readonly io: CliIo;
  readonly globals: GlobalOptions;
  openService(options?: { readonly work: boolean }): Promise<OpenedService>;
}
