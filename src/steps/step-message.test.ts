import { expect, test } from 'vitest';
import { parseStepMessage } from './step-message.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const image = { kind: 'image', key: 'a'.repeat(64), reused: false, digest, image: `x@${digest}` };
const failure = {
  reason: 'bad-payload',
  detail: 'It is bad.',
  hint: 'Mend it.',
  about: { file: 'a.yaml', line: 3 },
};

test.for([
  { kind: 'step-started', step: 'image/a' },
  { kind: 'step-progress', step: 'image/a', text: 'compiling' },
  { kind: 'step-retrying', step: 'image/a', what: 'registry r', why: '503', retry: 1, seconds: 2 },
  { kind: 'step-finished', step: 'prepare', output: null, plan: '/plan.json' },
  { kind: 'step-finished', step: 'image/a', output: image },
  { kind: 'step-finished', step: 'report', output: { kind: 'report', digest } },
  {
    kind: 'step-finished',
    step: 'verify',
    output: { kind: 'verify', inclusion: [], unpullable: [] },
  },
  { kind: 'step-failed', step: 'image/a', failures: [failure] },
])('$kind of $step is read as it was told', (message) => {
  expect(parseStepMessage(JSON.stringify(message))).toEqual(message);
});

test.for([
  ['no JSON', 'hello'],
  ['no object', '17'],
  ['an unknown kind', '{"kind":"succeeded","step":"a"}'],
  ['no step', '{"kind":"step-started"}'],
  [
    'an output with a digest that is none',
    JSON.stringify({ kind: 'step-finished', step: 'a', output: { ...image, digest: 'latest' } }),
  ],
  [
    'a failure for no known reason',
    JSON.stringify({ kind: 'step-failed', step: 'a', failures: [{ ...failure, reason: 'mood' }] }),
  ],
  ['a failure without failures', '{"kind":"step-failed","step":"a","failures":[]}'],
] as const)('%s is no message', ([, line]) => {
  expect(parseStepMessage(line)).toBeUndefined();
});
