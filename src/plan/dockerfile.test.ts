import { expect, test } from 'vitest';
import { baseUses, declaredArgs, pinBases } from './dockerfile.ts';

const dockerfile = `# syntax=docker/dockerfile:1
ARG GO="registry.example.com/go:1.26"
ARG RUNTIME=registry.example.com/run:9
ARG EMPTY
FROM \${GO} AS build
ARG CI_PIPELINE_UPSTREAM_COMMIT
COPY --from=tools.example.com/tool:1 /tool /tool
RUN --mount=type=bind,from=data.example.com/data,target=/data,source=/ \\
  # a comment in between
  FROM=nothing make
FROM --platform=linux/amd64 \\
    $RUNTIME
COPY --from=build /out /out
COPY --from=0 /out /out2
FROM build
FROM scratch
FROM \${EMPTY:-registry.example.com/fallback}
`;

const images = [
  'registry.example.com/go:1.26',
  'tools.example.com/tool:1',
  'data.example.com/data',
  'registry.example.com/run:9',
  'registry.example.com/fallback',
];

test('finds each image from outside once, with arguments put in', () => {
  expect(baseUses(dockerfile, {}).map((use) => use.image)).toEqual(images);
  expect(baseUses(`${dockerfile}FROM $RUNTIME\n`, {})).toHaveLength(images.length);
});

test('a given build argument wins over its default', () => {
  expect(baseUses(dockerfile, { RUNTIME: 'other.example.com/run' })).toContainEqual({
    text: '$RUNTIME',
    image: 'other.example.com/run',
    line: 11,
  });
});

test('an argument that is not declared before the first FROM is not put in', () => {
  expect(baseUses('FROM $BASE\n', { BASE: 'registry.example.com/x' })[0]?.image).toBe('');
});

test('tells every declared argument, of any stage', () => {
  expect([...declaredArgs(dockerfile)].sort()).toEqual([
    'CI_PIPELINE_UPSTREAM_COMMIT',
    'EMPTY',
    'GO',
    'RUNTIME',
  ]);
});

test('pins FROM lines and leaves every other line alone', () => {
  const bases = Object.fromEntries(images.map((image, index) => [image, `pinned@sha256:${index}`]));
  const pinned = pinBases(dockerfile, bases, {});
  expect(pinned.unknown).toEqual([]);
  expect(pinned.named).toEqual({
    'tools.example.com/tool:1': 'pinned@sha256:1',
    'data.example.com/data': 'pinned@sha256:2',
  });
  const changed = pinned.dockerfile
    .split('\n')
    .flatMap((line, index) => (line === dockerfile.split('\n')[index] ? [] : [line]));
  expect(changed.map((line) => line.trim().replace(/\s+/g, ' '))).toEqual([
    'FROM pinned@sha256:0 AS build',
    'FROM --platform=linux/amd64 pinned@sha256:3',
    '',
    'FROM pinned@sha256:4',
  ]);
});

test('also finds a base by its text as written', () => {
  expect(pinBases('ARG A=x\nFROM $A\n', { $A: 'y@sha256:1' }, {}).dockerfile).toBe(
    'ARG A=x\nFROM y@sha256:1\n',
  );
});

test('names the images that nobody pinned', () => {
  expect(pinBases('FROM a\nCOPY --from=b / /\n', { c: 'd' }, {}).unknown).toEqual(['a', 'b']);
});
