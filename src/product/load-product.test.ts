import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demoProduct, demoProductText } from './demo-product.fixture.ts';
import { parseProduct, productDigest } from './load-product.ts';

test('the demo product can be read', () => {
  const product = demoProduct();
  expect(Object.keys(product.components)).toContain('tektoncd/pipeline');
  expect(product.images['openshift-pipelines-controller' as never]).toMatchObject({
    dockerfile: 'Dockerfile',
    csv: { env: ['IMAGE_PIPELINES_TEKTON_PIPELINES_CONTROLLER'], containers: [], related: [] },
  });
});

describe('the digest', () => {
  const text = demoProductText();
  const digest = (yaml: string) => {
    const parsed = parseProduct(yaml, 'p.yaml');
    return parsed.ok ? productDigest(parsed.value) : parsed.failures[0].detail;
  };
  test('does not change with comments, quotes or the order of keys', () => {
    const reordered = text.replace(
      'product: demo-pipelines\nlayout: distgit',
      '# x\nlayout: "distgit"\nproduct: demo-pipelines',
    );
    expect(reordered).not.toBe(text);
    expect(digest(reordered)).toBe(digest(text));
    expect(digest(text)).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
  test('changes with what it says', () => {
    expect(digest(text.replace('1.7.0', '1.7.1'))).not.toBe(digest(text));
  });
});

const small = `product: p
layout: distgit
repository: https://github.com/o/productization
releases:
  nightly: {branch: main, version: 1.0.0, channels: [latest], default: true}
components:
  a/one: {payload: {render: ko, inputs: [{path: config}], into: "one/{version}/x.yaml"}}
  a/two: {aliases: [b/two]}
images:
  one: {context: distgit/containers/one, of: [a/one], go: example.com/one, csv: [IMAGE_ONE]}
  op: {context: distgit/containers/op, of: [a/two], kodata: /kodata}
bundle: {image: op-bundle, package: op, from: distgit/containers/op-bundle}
index: {image: op-index, serve: data}
`;

test('the small product is right as it is', () => {
  expect(parseProduct(small, 'p.yaml')).toMatchObject({ ok: true });
});

test('images may be left out where the targets of a Makefile are named, and only there', () => {
  const bare = small.replace(/^images:\n( {2}.*\n)+/m, '');
  expect(bare).not.toBe(small);
  const parsed = parseProduct(bare, 'p.yaml');
  expect(parsed.ok ? '' : parsed.failures[0].detail).toMatch(/name the `images`.*`makefile`/);
  expect(parseProduct(`${bare}makefile: {targets: [bundle/push]}\n`, 'p.yaml')).toMatchObject({
    ok: true,
    value: { images: {}, makefile: { targets: ['bundle/push'], variables: {} } },
  });
});

describe('what is wrong is told with its place', () => {
  test.for<[from: string, to: string, at: string, text: RegExp]>([
    ['layout: distgit', 'layout: distgot', '2:1', /layout/],
    ['layout: distgit', 'layout: distgit\nlayout: distgit', '3:1', /unique/],
    ['layout: distgit', 'layout: distgit\nlayouts: x', '3:1', /did you mean `layout`/],
    ['of: [a/one]', 'off: [a/one]', '10:', /did you mean `of`|off/],
    ['render: ko,', 'render: ko, marker: [x],', '7:', /did you mean `markers`/],
    ['product: p', 'product: [', '', /./],
    [
      'https://github.com/o/productization',
      'https://u:p@github.com/o/p',
      '3:',
      /user name or password/,
    ],
    [
      'https://github.com/o/productization',
      'https://github.com/o/p/pull/3',
      '3:',
      /more than a repository/,
    ],
    [', default: true', '', '4:', /default: true/],
    [
      'default: true}',
      'default: true}\n  old: {branch: x, version: 1.0.0, channels: [l], default: true}',
      '6:3',
      /only one can be the default/,
    ],
    ['branch: main', 'branch: ma..in', '5:', /"\.\."/],
    ['version: 1.0.0', 'version: "1.0"', '5:', /MAJOR\.MINOR\.PATCH/],
    ['of: [a/one]', 'of: [a/on]', '10:', /no component a\/on\. Did you mean a\/one/],
    ['of: [a/one]', 'of: [a/one, a/one]', '10:', /named twice/],
    [
      'aliases: [b/two]',
      'aliases: [A/One]',
      '8:',
      /a\/one is the name or alias of a component twice/,
    ],
    ['aliases: [b/two]', 'tracks: {nightli: main}', '8:', /Did you mean nightly/],
    ['aliases: [b/two]', 'tracks: {nightly: "ma in"}', '8:', /spaces/],
    ['kodata: /kodata', 'go: example.com/one', '11:', /ko:\/\/example.com\/one is two images/],
    [', kodata: /kodata', ', csv: [IMAGE_ONE]', '11:', /IMAGE_ONE is said of two images/],
    [', kodata: /kodata', '', '9:', /no image carries it/],
    ['{version}/x.yaml', '{versoin}/x.yaml', '7:', /\{versoin\} is unknown/],
    ['serve: data', 'serve: opm', '13:', /needs `base`/],
    ['serve: data', 'serve: data, base: x', '13:', /has no base/],
    ['image: op-index', 'image: op-bundle', '13:', /also the bundle's name/],
    ['  op: {', '  op-bundle: {', '11:', /also the bundle's name/],
    ['kodata: /kodata', 'kodata: /kodata, network: true', '11:', /without network/],
    ['kodata: /kodata', 'kodata: /kodata, args: {REMOTE_SOURCE: x}', '11:', /set by every build/],
    ['context: distgit/containers/one', 'context: ../one', '10:', /inside the repository/],
    ['product: p\n', '', '1:', /product/],
    ['product: p', 'product: p\nmakefile: {targets: [-j8]}', '2:', /must be the name of a target/],
    [
      'product: p',
      'product: p\nmakefile: {targets: [all], variables: {A-B: x}}',
      '2:',
      /A-B|variable/,
    ],
  ])('%s → %s', ([from, to, at, text]) => {
    const changed = small.replace(from, to);
    expect(changed).not.toBe(small);
    const parsed = parseProduct(changed, 'p.yaml');
    const details = parsed.ok ? [] : parsed.failures.map(({ detail }) => detail);
    expect(details.join('\n')).toMatch(text);
    expect(details.some((detail) => detail.startsWith(`p.yaml:${at}`))).toBe(true);
  });

  test('all at once, in the order of the file', () => {
    const parsed = parseProduct(
      small
        .replace('of: [a/one]', 'of: [a/x]')
        .replace('branch: main', 'branch: -x')
        .replace('serve: data', 'serve: opm'),
      'p.yaml',
    );
    const lines = parsed.ok ? [] : parsed.failures.map(({ about }) => about?.['line']);
    expect(lines).toEqual([5, 10, 13]);
  });

  test('names that lead nowhere are told beside what has the wrong shape', () => {
    const parsed = parseProduct(
      small
        .replace('layout: distgit', 'layout: distgot')
        .replace('of: [a/one], go', 'of: [a/on], goo')
        .replace('aliases: [b/two]', 'aliases: [b-two]')
        .replace('of: [a/two]', 'of: [a/two], network: maybe')
        .replace('serve: data', 'serve: opm'),
      'p.yaml',
    );
    const lines = parsed.ok ? [] : parsed.failures.map(({ about }) => about?.['line']);
    expect(lines).toEqual([2, 8, 10, 10, 11, 13]);
  });

  test('aliases that would fill the memory are refused', () => {
    const bomb = [
      'a0: &a0 [x, x]',
      ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
    ].join('\n');
    expect(parseProduct(bomb, 'p.yaml')).toMatchObject({
      ok: false,
      failures: [{ detail: expect.stringContaining('aliases') }],
    });
  });

  test('an empty file is told what it lacks', () => {
    expect(parseProduct('', 'p.yaml')).toMatchObject({
      ok: false,
      failures: expect.arrayContaining([expect.objectContaining({ reason: 'bad-product' })]),
    });
  });
});

test('any text is read or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const parsed = parseProduct(text, 'p.yaml');
        expect(parsed.ok).toBe(false);
      },
    ),
  );
});
