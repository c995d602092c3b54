import { expect, test } from 'vitest';
import { failedLine } from '../../steps/task-output.ts';
import { HeardLines } from './heard-lines.ts';

const failures = [
  { reason: 'registry-unavailable', detail: 'It is away.', hint: 'Ask again.' },
] as const;

function hear(verdicts: boolean, line: string): HeardLines {
  const now = () => new Date();
  const heard = new HeardLines({ steps: ['image/a'], verdicts, since: undefined, now, log() {} });
  heard.take(line.trimEnd());
  return heard;
}

test('a container in which no code of a ref runs may say why it ended', () => {
  expect(hear(true, failedLine(failures)).failures).toEqual(failures);
});

test.for([
  ['where code of a ref runs', false, failedLine(failures)],
  ['of a reason that does not exist', true, failedLine(failures).replace('registry-un', 'un')],
  ['of no reason', true, failedLine([])],
] as const)('it is left out: %s', ([, verdicts, line]) => {
  const heard = hear(verdicts, line);
  expect(heard.failures).toBeUndefined();
  expect(heard.describeLeftOut()).toContain('1 line(s)');
});
