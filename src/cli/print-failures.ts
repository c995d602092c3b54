import { problemText, renderProblem } from '../api/problem.ts';
import { diskFull } from '../builds/disk-full.ts';
import { type Failure, FailureError } from '../builds/failure.ts';
import { visible } from '../request/quote.ts';
import type { CliContext } from './cli-io.ts';
import { exitCodeOf } from './exit-codes.ts';
import { styleOf } from './render/style.ts';
import { oneLine } from './render/text-width.ts';

type Failures = readonly [Failure, ...Failure[]];

/**
 * Prints failures, two lines each (`--json`: one Problem on stdout), and gives the exit code. The
 * one handler of the CLI: whatever a verb throws ends here.
 */
export function printError(
  { io, globals }: Pick<CliContext, 'io' | 'globals'>,
  error: unknown,
): number {
  const failures = error instanceof FailureError ? error.failures : [diskFull(error) ?? bug(error)];
  if (globals.json) io.out(`${problemText(renderProblem(failures as Failures, 'cli:'))}\n`);
  else io.err(renderFailures(failures, styleOf(io, globals)));
  return exitCodeOf(failures);
}

/** Failures for people; of what they are about, that which the sentence does not say by itself. */
export function renderFailures(
  failures: readonly Failure[],
  style: ReturnType<typeof styleOf>,
): string {
  return failures
    .map(({ detail, hint, about }) => {
      const lists = Object.entries(about ?? {})
        .filter(([, value]) => ![value].flat().every((item) => detail.includes(String(item))))
        .map(([key, value]) => renderAbout(key, value));
      return `${style.red('error:')} ${indent(detail)}\n${lists.join('')}  ${indent(hint)}\n`;
    })
    .join('');
}

/** Output of a program line by line, anything else on one. */
function renderAbout(key: string, value: string | number | readonly string[]): string {
  const items = [value].flat().map(String);
  if (key !== 'output') return `  ${key}: ${indent(items.join(', '))}\n`;
  return `  ${key}:\n${items.map((item) => `    ${oneLine(item)}\n`).join('')}`;
}

/** Failures tell what strangers wrote: nothing of it moves the cursor, or looks like something else. */
function indent(text: string): string {
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => visible(oneLine(line))).join('\n  ');
}

function bug(error: unknown): Failure {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    reason: 'internal-error',
    detail: `A bug in Tributary: ${text}`,
    hint: 'Report it with these lines and the command that you typed.',
  };
}
