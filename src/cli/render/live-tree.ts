import type { BuildEvent } from '../../builds/event.ts';
import type { CliIo } from '../cli-io.ts';
import type { Style } from './style.ts';
import { renderTree } from './tree.ts';
import { watchBuild, watchEvent } from './watched-build.ts';

/** Shows events of a build; `end` leaves the last picture where it is. */
export interface Follower {
  event(event: BuildEvent): void;
  end(): void;
}

const frameTime = 100;

/**
 * Draws the steps of a build in place on a terminal, ten times a second. A frame is one write, between
 * the marks of a synchronized update, and clears only what it does not overwrite: nothing flickers.
 */
export function liveTree(tag: string, io: CliIo, style: Style): Follower {
  const build = watchBuild(tag);
  let drawn = 0;
  let count = 0;

  const draw = (last: boolean) => {
    const size = io.size();
    // What scrolled off the top cannot be drawn over; the last picture may be as long as it needs.
    const rows = last ? Number.POSITIVE_INFINITY : size.rows;
    const lines = renderTree(build, { now: io.now(), count, columns: size.columns, rows }, style);
    const up = drawn === 0 ? '' : `\x1b[${drawn}A`;
    io.out(`\x1b[?2026h${up}\r${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J\x1b[?2026l`);
    drawn = lines.length;
    count += 1;
  };

  io.out('\x1b[?25l');
  draw(false);
  const timer = setInterval(() => draw(false), frameTime);
  return {
    event: (event) => watchEvent(build, event),
    end: () => {
      clearInterval(timer);
      draw(true);
      io.out('\x1b[?25h');
    },
  };
}
