import { expect, test } from 'vitest';
import { cachedBases, mountCaches } from './cache-mounts.ts';

const mounts = { 'r/go@sha256:1': [{ id: 'a1', folder: '/cache' }] };
const flag = '--mount=type=cache,id=a1,target=/cache';

test.for([
  [
    'the stages before the last',
    'FROM r/go@sha256:1 AS b\nRUN one\nRUN ["two"]\nFROM r/run@sha256:2\nRUN three\n',
    `FROM r/go@sha256:1 AS b\nRUN ${flag} one\nRUN ${flag} ["two"]\nFROM r/run@sha256:2\nRUN three\n`,
  ],
  [
    'stages that grow from others, by the image of the first',
    'FROM r/go@sha256:1 AS a\nfrom A as b\nrun x\nFROM scratch\n',
    `FROM r/go@sha256:1 AS a\nfrom A as b\nrun ${flag} x\nFROM scratch\n`,
  ],
  [
    'continued lines and other flags',
    'FROM --platform=$BUILDPLATFORM r/go@sha256:1 AS b\n  RUN \\\n  # why\n  --network=none go\nFROM scratch\n',
    `FROM --platform=$BUILDPLATFORM r/go@sha256:1 AS b\n  RUN ${flag} \\\n  # why\n  --network=none go\nFROM scratch\n`,
  ],
] as const)('mounts into every RUN of %s', ([, dockerfile, mounted]) => {
  expect(mountCaches(dockerfile, mounts)).toBe(mounted);
});

test.for([
  ['the last stage', 'FROM r/go@sha256:1\nRUN x\n'],
  ['a stage that the last one grows from', 'FROM r/go@sha256:1 AS b\nRUN x\nFROM b\nRUN y\n'],
  ['a stage on another image', 'FROM r/run@sha256:2 AS b\nRUN x\nFROM scratch\n'],
  [
    'a RUN that mounts something there itself',
    'FROM r/go@sha256:1 AS b\nRUN --mount=type=tmpfs,target=/cache x\nFROM scratch\n',
  ],
] as const)('mounts nothing into %s', ([, dockerfile]) => {
  expect(mountCaches(dockerfile, mounts)).toBe(dockerfile);
});

test('tells the base images whose stages run something that can have a cache, once each', () => {
  const dockerfile =
    'FROM r/go@sha256:1 AS a\nRUN x\nFROM r/go@sha256:1 AS b\nRUN y\nFROM r/copy@sha256:3 AS c\nCOPY . .\nFROM r/run@sha256:2\nRUN z\n';
  expect(cachedBases(dockerfile)).toEqual(['r/go@sha256:1']);
});
