import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { smallCsv } from '../../test/support/small-csv.ts';
import type { Tag } from '../plan/names.ts';
import { type CsvEdits, editCsv } from './edit-csv.ts';
import type { PlacedImage } from './place-images.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const nowhere = { env: [], containers: [], related: [] };
const controller = `quay.io/team/controller@${digest('c')}`;
const operator = `quay.io/team/operator@${digest('a')}`;
const images = {
  controller: { reference: controller, csv: { ...nowhere, env: ['IMAGE_PIPELINES_CONTROLLER'] } },
  operator: { reference: operator, csv: { ...nowhere, containers: ['*'] } },
} satisfies Record<string, PlacedImage>;

const edits: CsvEdits = {
  package: 'small',
  tag: 'test-my-thing-72a32c' as Tag,
  operatorVersion: '1.7.0-t72a32c',
  base: { csv: 'small.v1.7.0', version: '1.7.0', skipRange: '>=1.5.0 <1.7.0' },
  images,
  external: ['registry.example.com/base/*'],
};

function edited(changes: Partial<CsvEdits> = {}, text = smallCsv) {
  const outcome = editCsv(text, 'manifests/csv.yaml', { ...edits, ...changes });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.failures, null, 2));
  return { text: outcome.value, csv: parse(outcome.value) };
}

function problems(changes: Partial<CsvEdits> = {}, text = smallCsv) {
  const outcome = editCsv(text, 'manifests/csv.yaml', { ...edits, ...changes });
  return outcome.ok ? [] : outcome.failures;
}

/** The CSV of a test with its own lines in place of others. */
function changed(...replacements: readonly (readonly [string, string])[]): string {
  return replacements.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the CSV has no ${from}`);
    return text.replaceAll(from, to);
  }, smallCsv);
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks into YAML.
const containersOf = (csv: any) =>
  csv.spec.install.spec.deployments[0].spec.template.spec.containers;

test('changes exactly what a build decides', () => {
  const before = parse(smallCsv);
  const { csv } = edited();
  const expected = structuredClone(before);
  expected.metadata.name = 'small.v1.7.0-t72a32c';
  Object.assign(expected.metadata.annotations, {
    'tributary.dev/tag': 'test-my-thing-72a32c',
    'olm.skipRange': '>=1.5.0 <1.7.1-0',
    createdAt: '2000-01-01T00:00:00Z',
    containerImage: operator,
  });
  Object.assign(expected.spec, {
    version: '1.7.0-t72a32c',
    displayName: 'Small operator (test-my-thing-72a32c)',
    replaces: 'small.v1.7.0',
  });
  const [lifecycle, operations] = containersOf(expected);
  lifecycle.image = operations.image = operator;
  lifecycle.env[0].value = operations.env[0].value = '1.7.0-t72a32c';
  lifecycle.env[2].value = controller;
  expected.spec.relatedImages[0].image = controller;
  expected.spec.relatedImages[2].image = operator;
  expect(csv).toEqual(expected);
});

test('keeps comments and order', () => {
  const { text } = edited();
  expect(text).toContain('# The template: edited by hand.');
  expect(text).toContain('name: IMAGE_PIPELINES_CONTROLLER # the controller');
  expect(Object.keys(parse(text).spec)).toEqual(Object.keys(parse(smallCsv).spec));
});

test('changes no line but those of its edits', () => {
  const before = new Set(smallCsv.split('\n'));
  const lines = edited()
    .text.split('\n')
    .filter((line) => !before.has(line));
  const flow = /[[{]/;
  expect(
    lines.filter((line) => !flow.test(line)).map((line) => line.trim().split(/[: ]/)[0]),
  ).toEqual([
    ...['name', 'containerImage', 'createdAt', 'olm.skipRange', 'tributary.dev/tag'],
    ...['displayName', 'version', 'replaces', 'image', 'value', 'value', 'image', 'value'],
    ...['image', 'image'],
  ]);
});

test('writes the same text for the same inputs, and its own text again', () => {
  expect(edited().text).toBe(edited().text);
  const again = edited({ base: edits.base }, edited().text).csv;
  expect(again.spec.relatedImages).toEqual(edited().csv.spec.relatedImages);
});

test('a version that looks like a number stays a string', () => {
  const { text } = edited({ operatorVersion: '1.7' });
  expect(parse(text, { version: '1.1' }).spec.version).toBe('1.7');
});

test('an image that a change adds under a new variable is known by its repository', () => {
  const text = changed([
    'IMAGE_SHELL\n                  value: registry.example.com/base/shell:1',
    'IMAGE_NEW\n                  value: registry.example.com/openshift/controller:devel',
  ]);
  const { csv } = edited({}, text);
  expect(containersOf(csv)[0].env[3]).toEqual({ name: 'IMAGE_NEW', value: controller });
  expect(csv.spec.relatedImages).toContainEqual({ name: 'IMAGE_NEW', image: controller });
});

test('a new external image is added to relatedImages', () => {
  const text = changed([
    '  - name: IMAGE_SHELL\n    image: registry.example.com/base/shell:1\n',
    '',
  ]);
  expect(edited({}, text).csv.spec.relatedImages.at(-1)).toEqual({
    name: 'IMAGE_SHELL',
    image: 'registry.example.com/base/shell:1',
  });
});

test('an entry of relatedImages follows its variable', () => {
  const text = changed([
    'value: registry.example.com/base/shell:1',
    'value: registry.example.com/base/shell:2',
  ]);
  const related = edited({}, text).csv.spec.relatedImages;
  expect(related).toContainEqual({
    name: 'IMAGE_SHELL',
    image: 'registry.example.com/base/shell:2',
  });
  expect(JSON.stringify(related)).not.toContain('shell:1');
});

test('relatedImages are made where there are none', () => {
  const text = smallCsv.slice(0, smallCsv.indexOf('  relatedImages:'));
  expect(edited({}, text).csv.spec.relatedImages).toEqual([
    { name: 'IMAGE_PIPELINES_CONTROLLER', image: controller },
    { name: 'IMAGE_SHELL', image: 'registry.example.com/base/shell:1' },
    { name: 'LIFECYCLE', image: operator },
  ]);
});

test('one variable with two values in two containers keeps both', () => {
  const text = changed([
    '              - name: cluster-operations\n',
    '              - name: third\n                image: registry.example.com/base/tool:1\n                env:\n                - {name: IMAGE_SHELL, value: "registry.example.com/base/shell:9"}\n              - name: cluster-operations\n',
  ]);
  const containers = ['lifecycle', 'cluster-operations'];
  const { csv } = edited(
    { images: { ...images, operator: { reference: operator, csv: { ...nowhere, containers } } } },
    text,
  );
  const shells = csv.spec.relatedImages.filter(
    ({ name }: { name: string }) => name === 'IMAGE_SHELL',
  );
  expect(shells.map(({ image }: { image: string }) => image)).toEqual([
    'registry.example.com/base/shell:1',
    'registry.example.com/base/shell:9',
  ]);
  expect(csv.spec.relatedImages).toContainEqual({
    name: 'THIRD',
    image: 'registry.example.com/base/tool:1',
  });
  expect(containersOf(csv)[1].env).toHaveLength(1);
});

test('a variable that takes its value from elsewhere gets one of its own', () => {
  const text = changed([
    `value: registry.example.com/product/controller@${digest('2')}`,
    'valueFrom: {configMapKeyRef: {name: images, key: controller}}',
  ]);
  expect(containersOf(edited({}, text).csv)[0].env[2]).toEqual({
    name: 'IMAGE_PIPELINES_CONTROLLER',
    value: controller,
  });
});

test('containers of the product get VERSION where none has it', () => {
  const text = changed(['- name: VERSION', '- name: OTHER']);
  for (const { env } of containersOf(edited({}, text).csv)) {
    expect(env).toContainEqual({ name: 'VERSION', value: '1.7.0-t72a32c' });
  }
});

test('where others place the images, they stay as they are, and the operator gets its name and VERSION', () => {
  const { csv } = edited({ images: null });
  expect(csv.metadata.name).toBe('small.v1.7.0-t72a32c');
  expect(csv.spec.relatedImages).toEqual(parse(smallCsv).spec.relatedImages);
  const before = containersOf(parse(smallCsv));
  for (const [index, { image, env }] of containersOf(csv).entries()) {
    expect(image).toBe(before[index].image);
    expect(env).toContainEqual({ name: 'VERSION', value: '1.7.0-t72a32c' });
  }
});

test('VERSION of an external image stays, unless it is that of the release', () => {
  const external = ['registry.example.com/product/*'];
  const text = changed(['value: 1.7.0', 'value: 15.3']);
  expect(edited({ images: null, external }, text).text).not.toContain('value: "1.7.0-t72a32c"');
  expect(edited({ images: null, external }).text).toContain('value: "1.7.0-t72a32c"');
});

test('containers that share an anchor are edited apart', () => {
  const image = `image: registry.example.com/product/operator@${digest('1')}`;
  const text = smallCsv
    .replace(image, image.replace('image: ', 'image: &shared '))
    .replace(/(cluster-operations\n +image: ).*/, '$1*shared');
  const other = `quay.io/team/other@${digest('b')}`;
  const apart = {
    ...images,
    operator: { reference: operator, csv: { ...nowhere, containers: ['lifecycle'] } },
    other: { reference: other, csv: { ...nowhere, containers: ['cluster-operations'] } },
  };
  const { csv } = edited({ images: apart }, text);
  expect(containersOf(csv).map((one: { image: string }) => one.image)).toEqual([operator, other]);
});

test.for<[string, Partial<PlacedImage['csv']>, string]>([
  ['env', { env: ['IMAGE_PIPELINE_CONTROLLER'] }, 'IMAGE_PIPELINES_CONTROLLER'],
  ['containers', { containers: ['lifecycl'] }, 'lifecycle'],
  ['related', { related: ['LIFECYCLES'] }, 'LIFECYCLE'],
  ['deployment', { deployment: 'small-operators', containers: ['*'] }, 'small-operator'],
])('a place that the CSV lacks (%s) is a problem that names the nearest', ([, csv, near]) => {
  const [failure, ...others] = problems({
    images: {
      ...images,
      extra: { reference: controller, csv: { ...nowhere, ...csv } },
    },
  });
  expect(failure).toMatchObject({ reason: 'bad-bundle', hint: expect.stringContaining(near) });
  expect(failure?.detail).toContain('extra');
  expect(others).toEqual([]);
});

test('an image that is neither of the product nor external is a problem that names it', () => {
  const found = problems({ external: [] });
  expect(found.map(({ detail }) => detail)).toEqual([
    expect.stringContaining(
      'registry.example.com/base/shell:1 (env IMAGE_SHELL of container lifecycle',
    ),
    expect.stringContaining('registry.example.com/base/shell:1 (relatedImages IMAGE_SHELL)'),
  ]);
});

test('external may name the variable', () => {
  expect(problems({ external: ['IMAGE_SHELL'] })).toEqual([]);
});

test('an image in an argument is found too', () => {
  const stale = `registry.example.com/product/nop@${digest('9')}`;
  const found = problems({}, changed(['"-name=lifecycle"', `"-nop-image=${stale}"`]));
  expect(found.map(({ detail }) => detail)).toEqual([expect.stringContaining(stale)]);
});

test('two images that claim one container are a problem', () => {
  const twice = { reference: controller, csv: { ...nowhere, containers: ['lifecycle'] } };
  const found = problems({ images: { ...images, twice } });
  expect(found.map(({ detail }) => detail)).toEqual([
    expect.stringContaining('operator and twice'),
  ]);
});

test('all problems are told at once', () => {
  const lost = { reference: controller, csv: { ...nowhere, env: ['IMAGE_LOST'] } };
  const found = problems({ external: [], package: 'x'.repeat(60), images: { ...images, lost } });
  expect(found).toHaveLength(4);
});

test('a name of more than 63 characters is a problem', () => {
  const fits = 'x'.repeat(63 - '.v1.7.0-t72a32c'.length);
  expect(problems({ package: fits })).toEqual([]);
  expect(problems({ package: `${fits}x` })).toMatchObject([
    { reason: 'bad-bundle', detail: expect.stringContaining('64') },
  ]);
});

test('text that is no YAML is a problem of its file', () => {
  expect(problems({}, 'a: [')).toMatchObject([
    { reason: 'bad-bundle', about: { file: 'manifests/csv.yaml' } },
  ]);
});
