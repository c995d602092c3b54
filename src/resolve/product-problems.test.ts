import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FileTree, textFile, without } from '../plan/file-tree.ts';
import type { Strategy } from '../plan/lock.ts';
import type { ComponentName } from '../plan/names.ts';
import { demoProductText } from '../product/demo-product.fixture.ts';
import { parseProduct } from '../product/load-product.ts';
import { locateIn } from '../product/place.ts';
import { productProblems } from './product-problems.ts';

const repository = readFolder(
  new URL('../../examples/demo/productization', import.meta.url).pathname,
);
const productFile = demoProductText();
const container = (name: string) => `distgit/containers/openshift-pipelines-${name}`;
const csv = `${container('operator-bundle')}/manifests/openshift-pipelines-operator-rh.clusterserviceversion.yaml`;
const annotations = `${container('operator-bundle')}/metadata/annotations.yaml`;
const firstPatch = 'patches/pipeline/0001-Use-the-name-of-the-product.patch';

/** One mistake: in product.yaml, in a file of the repository (`null`: gone, as a folder may be), or both. */
interface Mistake {
  readonly product?: readonly [from: string, to: string];
  readonly file?: readonly [path: string, change: ((text: string) => string) | null];
  /** `file:line` that is told, where the line is that of a text in the changed file. */
  readonly at: readonly [file: string, line?: string];
  readonly text: RegExp;
}

const mistakes: Readonly<Record<string, Mistake>> = {
  'an image without a folder': {
    file: [container('webhook'), null],
    at: ['product.yaml', `context: ${container('webhook')}\n`],
    text: /image openshift-pipelines-webhook is to be built from .* no such folder/,
  },
  'a folder without an image': {
    file: [`${container('new')}/Dockerfile`, () => 'FROM scratch\n'],
    at: [container('new')],
    text: /no image of product\.yaml/,
  },
  'an image without Dockerfile': {
    product: [
      `context: ${container('resolvers')}\n`,
      `context: ${container('resolvers')}\n    dockerfile: Dokcerfile\n`,
    ],
    at: ['product.yaml', 'dockerfile: Dokcerfile'],
    text: /has no such file. Did you mean .*resolvers\/Dockerfile/,
  },
  'a Dockerfile without FROM': {
    file: [`${container('controller')}/Dockerfile`, () => '# empty\n'],
    at: [`${container('controller')}/Dockerfile`, '# empty'],
    text: /no FROM/,
  },
  'a base image that has no name': {
    file: [`${container('entrypoint')}/Dockerfile`, (text) => `${text}FROM $NOTHING\n`],
    at: [`${container('entrypoint')}/Dockerfile`, 'FROM $NOTHING'],
    text: /"\$NOTHING" names no image/,
  },
  'a component that is not pinned': {
    product: ['components:\n', 'components:\n  tektoncd/chains: {}\n'],
    at: ['upstream_sources.yaml', ''],
    text: /no entry is of tektoncd\/chains/,
  },
  'a pin that is no commit': {
    file: ['upstream_sources.yaml', (text) => text.replace(/commit: .*\n/, 'commit: abc\n')],
    at: ['upstream_sources.yaml', 'url: '],
    text: /40 lower-case hex digits/,
  },
  'patches in a folder that is not there': {
    product: ['dir: patches/triggers', 'dir: patches/trigger'],
    at: ['product.yaml', 'dir: patches/trigger,'],
    text: /patches of tektoncd\/triggers .* Did you mean .*patches\/triggers/,
  },
  'a patch that holds no change': {
    file: [firstPatch, () => 'to be written\n'],
    at: [firstPatch, ''],
    text: /holds no change/,
  },
  'a CSV key that the CSV lacks': {
    product: ['csv: [IMAGE_PIPELINES_WEBHOOK]', 'csv: [IMAGE_PIPELINES_WEBHOK]'],
    at: ['product.yaml', 'csv: [IMAGE_PIPELINES_WEBHOK]'],
    text: /IMAGE_PIPELINES_WEBHOK, and the CSV has none.* Did you mean IMAGE_PIPELINES_WEBHOOK/,
  },
  'a deployment that the CSV lacks': {
    product: ['deployment: tekton-operator-webhook', 'deployment: tekton-operator-webhok'],
    at: ['product.yaml', 'tekton-operator-webhok'],
    text: /deployment tekton-operator-webhok/,
  },
  'an image in the CSV that nobody knows': {
    file: [
      csv,
      (text) =>
        text.replace(
          /^( *)relatedImages:\n/m,
          '$1relatedImages:\n$1- name: STRANGER\n$1  image: q.example.com/stranger:1\n',
        ),
    ],
    at: [csv, 'name: STRANGER'],
    text: /q\.example\.com\/stranger:1 \(relatedImages STRANGER\), which is neither/,
  },
  'a version that the CSV does not have': {
    product: ['version: 1.7.0', 'version: 1.7.1'],
    at: ['product.yaml', 'version: 1.7.1'],
    text: /nightly is version 1\.7\.1, and .* says 1\.7\.0/,
  },
  'annotations of another package': {
    file: [annotations, (text) => text.replace(/(package\.v1: *).*/, '$1other')],
    at: [annotations, 'package.v1: other'],
    text: /it is of package other/,
  },
};

/** Mistakes that hide others, because nothing is left to look at. */
const whole: Readonly<Record<string, Mistake>> = {
  'a bundle folder that is not there': {
    product: [`from: ${container('operator-bundle')}`, 'from: bundle'],
    at: ['product.yaml', 'from: bundle'],
    text: /no ClusterServiceVersion in manifests\/ of bundle/,
  },
  'a bundle without CSV': {
    file: [csv, null],
    at: ['product.yaml', `from: ${container('operator-bundle')}`],
    text: /no ClusterServiceVersion/,
  },
  'a second CSV': {
    file: [
      csv.replace('openshift-pipelines-operator-rh', 'x'),
      () => 'kind: ClusterServiceVersion',
    ],
    at: [csv.replace('openshift-pipelines-operator-rh', 'x'), ''],
    text: /several ClusterServiceVersions/,
  },
  'a CSV that is no YAML': {
    file: [csv, (text) => `${text}- : [\n`],
    at: [csv],
    text: /clusterserviceversion\.yaml:\d+: it cannot be read/,
  },
  'no annotations': {
    file: [annotations, null],
    at: [annotations],
    text: /is missing/,
  },
  'annotations that are no YAML': {
    file: [annotations, () => 'annotations:\n  a: "x\n'],
    at: [annotations],
    text: /annotations\.yaml:\d+: it cannot be read: /,
  },
  'no upstream_sources.yaml': {
    file: ['upstream_sources.yaml', null],
    at: ['upstream_sources.yaml'],
    text: /has no upstream_sources\.yaml/,
  },
};

describe('what is wrong is told with its place', () => {
  test.for(Object.entries({ ...mistakes, ...whole }))('%s', ([, mistake]) => {
    const broken = make([mistake]);
    const told = problemsOf(broken);
    expect(told.join('\n')).toMatch(mistake.text);
    const place = placeOf(mistake, broken);
    expect(told.filter((line) => mistake.text.test(line))).toEqual([
      expect.stringContaining(place),
    ]);
  });
});

test('the demo product has no problem', () => {
  expect(problemsOf({ productFile, files: repository })).toEqual([]);
});

test('a product that is wrong everywhere is told of everything at once', () => {
  const all = Object.values(mistakes);
  const told = problemsOf(make(all));
  for (const { text } of all) expect(told.join('\n')).toMatch(text);
  expect(told).toHaveLength(all.length);
});

test('what a Makefile may do otherwise is no problem where it builds the images', () => {
  const free = [
    'a folder without an image',
    'a CSV key that the CSV lacks',
    'a deployment that the CSV lacks',
    'an image in the CSV that nobody knows',
  ];
  const all = Object.entries(mistakes);
  const told = problemsOf(make(Object.values(mistakes)), [], 'makefile').join('\n');
  const untold = all.filter(([, { text }]) => !text.test(told)).map(([name]) => name);
  expect(untold).toEqual(free);
});

test('where the operator makes its own CSV, that of the repository need not name every image', () => {
  const broken = make([mistakes['a CSV key that the CSV lacks'] as Mistake]);
  expect(problemsOf(broken, ['tektoncd/operator' as ComponentName])).toEqual([]);
});

interface Broken {
  readonly productFile: string;
  readonly files: FileTree;
}

function make(wanted: readonly Mistake[]): Broken {
  let text = productFile;
  let files = repository;
  for (const { product, file } of wanted) {
    if (product !== undefined) {
      expect(text).toContain(product[0]);
      text = text.replace(product[0], product[1]);
    }
    if (file === undefined) continue;
    const [path, change] = file;
    const before = files.get(path)?.content.toString() ?? '';
    files =
      change === null
        ? without(files, path)
        : new Map([...files, [path, textFile(change(before))]]);
  }
  return { productFile: text, files };
}

function problemsOf(
  { productFile: text, files }: Broken,
  components: ComponentName[] = [],
  strategy: Strategy = 'images',
) {
  const product = parseProduct(text, 'product.yaml');
  if (!product.ok) return product.failures.map(({ detail }) => detail);
  const locate = locateIn({ file: 'product.yaml', text });
  const asked = { release: 'nightly', strategy, components, where: 'the repository' };
  const problems = productProblems(files, product.value, asked, locate);
  for (const { hint, about } of problems) {
    expect(hint).not.toBe('');
    expect(about).toHaveProperty('file');
  }
  return problems.map(({ detail, hint }) => `${detail} ${hint}`);
}

function placeOf({ at: [file, mark] }: Mistake, broken: Broken): string {
  if (mark === undefined) return file;
  const text =
    file === 'product.yaml'
      ? broken.productFile
      : (broken.files.get(file)?.content.toString() ?? '');
  expect(text).toContain(mark);
  return `${file}:${text.slice(0, text.indexOf(mark)).split('\n').length}: `;
}

function readFolder(root: string): FileTree {
  const files = readdirSync(root, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        // The demo's history puts its commits where the file has placeholders.
        const text = readFileSync(path, 'utf8').replace(
          /^( *commit: ).*$/gm,
          `$1${'1'.repeat(40)}`,
        );
        return [relative(root, path), textFile(text)] as const;
      }),
  );
}
