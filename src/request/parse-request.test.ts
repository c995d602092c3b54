import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRequest } from './parse-request.ts';
import { RequestBody } from './request-body.ts';

const pipeline = { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' };

const examples = RequestBody.meta()?.['examples'] as { components: object }[];

test.for(examples.map((example) => [example] as const))(
  'the example %j can be read, as each of its refs',
  ([example]) => {
    const parsed = parseRequest(JSON.parse(JSON.stringify(example)));
    expect(parsed).toMatchObject({
      ok: true,
      value: { name: 'test-my-thing', rebuild: false, notify: [] },
    });
    expect(parsed.ok && Object.keys(parsed.value.components)).toEqual(
      Object.keys(example.components),
    );
  },
);

test('a request keeps what was asked, and reads the refs', () => {
  const parsed = parseRequest({
    name: 'x',
    components: {
      'tektoncd/pipeline': { ref: 'tektoncd/pipeline#4638', as: 'pick', base: 'main' },
    },
    release: '1.6',
    product: 'openshift-pipelines/productization#3',
    patches: { 'tektoncd/pipeline': { skip: ['0001-x.patch'] }, 'tektoncd/triggers': 'none' },
    strategy: 'makefile',
    remote: 'team',
    notify: ['b', 'a', 'b'],
    rebuild: true,
  });
  expect(parsed).toMatchObject({
    ok: true,
    value: {
      components: {
        'tektoncd/pipeline': {
          text: 'tektoncd/pipeline#4638',
          as: 'pick',
          base: 'main',
          ref: { number: 4638 },
        },
      },
      product: { as: 'auto', ref: { kind: 'pull-request', number: 3 } },
      patches: { 'tektoncd/pipeline': { skip: ['0001-x.patch'] }, 'tektoncd/triggers': 'none' },
      notify: ['b', 'a'],
      release: '1.6',
      strategy: 'makefile',
      remote: 'team',
      rebuild: true,
    },
  });
});

test('one notify target needs no list, and a change of the product no component', () => {
  const parsed = parseRequest({ name: 'x', notify: 'team', product: 'o/p#1' });
  expect(parsed).toMatchObject({ ok: true, value: { notify: ['team'], components: {} } });
});

test('no component at all is the product as it is, where the request says so', () => {
  const parsed = parseRequest({ name: 'x', components: {} });
  expect(parsed).toMatchObject({ ok: true, value: { name: 'x', components: {} } });
});

type Problem = readonly [pointer: string, reason: string, text: RegExp];

describe('a request that cannot be read', () => {
  test.for<[title: string, body: unknown, ...problems: Problem[]]>([
    ['is no object', [], ['', 'bad-request', /body is a list.*JSON object/]],
    ['is null', null, ['', 'bad-request', /body is null/]],
    ['has no name', { components: pipeline }, ['/name', 'bad-name', /"name" is missing/]],
    [
      'has an upper-case name',
      { name: 'My_Thing', components: pipeline },
      ['/name', 'bad-name', /"My_Thing".*lower-case/],
    ],
    [
      'has a name of 51 characters',
      { name: 'a'.repeat(51), components: pipeline },
      ['/name', 'bad-name', /1 to 50/],
    ],
    [
      'has an empty name',
      { name: '', components: pipeline },
      ['/name', 'bad-name', /must be a name/],
    ],
    [
      'has a number for a name',
      { name: 7, components: pipeline },
      ['/name', 'bad-name', /is 7, and/],
    ],
    ['asks for nothing', { name: 'x' }, ['/components', 'bad-request', /names no component/]],
    [
      'has a list of components',
      { name: 'x', components: ['a'] },
      ['/components', 'bad-request', /is a list/],
    ],
    [
      'has a number for a ref',
      { name: 'x', components: { 'a/b': 3 } },
      ['/components/a~1b', 'bad-request', /is 3.*a ref/],
    ],
    [
      'has a null ref',
      { name: 'x', components: { 'a/b': null } },
      ['/components/a~1b', 'bad-request', /is null/],
    ],
    [
      'has a ref object without ref',
      { name: 'x', components: { 'a/b': { as: 'head' } } },
      ['/components/a~1b/ref', 'bad-request', /missing/],
    ],
    [
      'has a bad ref',
      { name: 'x', components: { 'a/b': '#12' } },
      ['/components/a~1b', 'bad-ref', /Did you mean a\/b#12/],
    ],
    [
      'has a bad ref in an object',
      { name: 'x', components: { 'a/b': { ref: 'x y' } } },
      ['/components/a~1b/ref', 'bad-ref', /white space/],
    ],
    [
      'has a bad way',
      { name: 'x', components: { 'a/b': { ref: 'a/b#1', as: 'rebase' } } },
      ['/components/a~1b/as', 'bad-request', /"rebase".*"pick"/],
    ],
    [
      'has a bad base',
      { name: 'x', components: { 'a/b': { ref: 'a/b#1', base: 'a..b' } } },
      ['/components/a~1b/base', 'bad-ref', /"\.\."/],
    ],
    [
      'has a base that nobody could read',
      { name: 'x', components: { 'a/b': { ref: 'a/b#1', base: 'a\u202eb' } } },
      ['/components/a~1b/base', 'bad-ref', /\\u\{202e\}b" is no branch.*invisible/],
    ],
    [
      'merges a head alone',
      { name: 'x', components: { 'a/b': { ref: 'a/b#pull/1/head', as: 'merge' } } },
      ['/components/a~1b/as', 'bad-ref', /asks for a merge/],
    ],
    [
      'gives a base to a branch',
      { name: 'x', components: { 'a/b': { ref: 'a/b#main', base: 'dev' } } },
      ['/components/a~1b/base', 'bad-ref', /taken as it is/],
    ],
    [
      'gives a base to a head',
      { name: 'x', product: { ref: 'a/b#1', as: 'head', base: 'dev' } },
      ['/product/base', 'bad-ref', /taken as it is/],
    ],
    [
      'has an unknown key',
      { name: 'x', component: pipeline },
      ['/component', 'bad-request', /Did you mean components/],
      ['/components', 'bad-request', /names no component/],
    ],
    [
      'has an unknown key in a ref',
      { name: 'x', components: { 'a/b': { ref: 'a/b#1', bas: 'm' } } },
      ['/components/a~1b/bas', 'bad-request', /Did you mean base/],
    ],
    [
      'has an unknown policy',
      { name: 'x', components: pipeline, patches: { 'a/b': 'all' } },
      ['/patches/a~1b', 'bad-request', /"none" or/],
    ],
    [
      'skips a text',
      { name: 'x', components: pipeline, patches: { 'a/b': { skip: 'p' } } },
      ['/patches/a~1b/skip', 'bad-request', /list of at least one patch/],
    ],
    [
      'skips a number',
      { name: 'x', components: pipeline, patches: { 'a/b': { skip: [3] } } },
      ['/patches/a~1b/skip/0', 'bad-request', /file name/],
    ],
    [
      'has an unknown key in a policy',
      { name: 'x', components: pipeline, patches: { 'a/b': { skipp: [] } } },
      ['/patches/a~1b/skip', 'bad-request', /missing/],
      ['/patches/a~1b/skipp', 'bad-request', /Did you mean skip/],
    ],
    [
      'rebuilds with words',
      { name: 'x', components: pipeline, rebuild: 'yes' },
      ['/rebuild', 'bad-request', /true or false/],
    ],
    [
      'has a strategy of its own',
      { name: 'x', components: pipeline, strategy: 'make' },
      ['/strategy', 'bad-request', /"images" or "makefile"/],
    ],
    [
      'tells numbers',
      { name: 'x', components: pipeline, notify: [3] },
      ['/notify/0', 'bad-request', /name of a notify target/],
    ],
    [
      'has an empty release',
      { name: 'x', components: pipeline, release: '' },
      ['/release', 'bad-request', /name of a release/],
    ],
    [
      'names too many components',
      { name: 'x', components: many(21) },
      ['/components', 'too-many-components', /21/],
    ],
    [
      'pollutes the prototype',
      JSON.parse('{"name": "x", "components": {"__proto__": "a/b#1"}, "__proto__": {}}'),
      ['/components/__proto__', 'bad-request', /no key/],
      ['/__proto__', 'bad-request', /no key/],
    ],
  ])('%s', ([, body, ...problems]) => {
    const parsed = parseRequest(body);
    const found = parsed.ok ? [] : parsed.failures;
    expect(found.map(({ pointer, reason }) => `${pointer} ${reason}`).sort()).toEqual(
      problems.map(([pointer, reason]) => `${pointer} ${reason}`).sort(),
    );
    for (const [pointer, reason, text] of problems) {
      const failure = found.find((one) => one.pointer === pointer && one.reason === reason);
      expect(`${failure?.detail} ${failure?.hint}`).toMatch(text);
    }
  });

  test('tells all its problems at once', () => {
    const parsed = parseRequest({
      name: 'No',
      components: { 'a/b': 'x y', 'c/d': 3, 'e/f': { ref: 'e/f#1', as: 'x' } },
      patches: { 'a/b': 'all' },
      product: 'p',
      rebuild: 1,
      nam: 'x',
    });
    expect(parsed.ok ? [] : parsed.failures.map(({ pointer }) => pointer).sort()).toEqual(
      [
        '/name',
        '/components/a~1b',
        '/components/c~1d',
        '/components/e~1f/as',
        '/patches/a~1b',
        '/product',
        '/rebuild',
        '/nam',
      ].sort(),
    );
  });
});

test('twenty components are not too many', () => {
  expect(parseRequest({ name: 'x', components: many(20) })).toMatchObject({ ok: true });
});

test('any JSON is read or refused, and changes no prototype', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (components, product, other) => {
      const parsed = parseRequest({
        name: 'x',
        components,
        product,
        patches: other,
        notify: other,
      });
      if (!parsed.ok)
        expect(parsed.failures.every(({ detail, hint }) => detail !== '' && hint !== '')).toBe(
          true,
        );
      expect(Object.keys(Object.prototype)).toEqual([]);
      parseRequest(other);
    }),
    { numRuns: 500 },
  );
});

function many(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`o/r${index}`, `o/r${index}#1`]),
  );
}
