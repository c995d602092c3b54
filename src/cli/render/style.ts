import picocolors from 'picocolors';
import type { CliIo, GlobalOptions } from '../cli-io.ts';

/** Colors, or functions that leave text alone: a pipe, `--no-color`, NO_COLOR and TERM=dumb get none. */
export function styleOf(io: CliIo, globals: GlobalOptions) {
  const { NO_COLOR, TERM } = io.environment;
  const colors = io.terminal && globals.color && !NO_COLOR && TERM !== 'dumb';
  return picocolors.createColors(colors);
}

/** What {@link styleOf} gives. */
export type Style = ReturnType<typeof styleOf>;
