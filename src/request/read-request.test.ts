import { expect, test } from 'vitest';
import { demoProduct } from '../product/demo-product.fixture.ts';
import { readRequest } from './read-request.ts';

const product = demoProduct();
const remote = { push: 'registry.example.com/demo', default: true };
const known = { remotes: { demo: remote }, notify: {}, 'allow-unconfined': false };

function problems(body: unknown) {
  const { failures, request } = readRequest(body, product, known);
  return { told: failures.map(({ reason, pointer }) => `${reason} ${pointer}`).sort(), request };
}

test('problems of shape, of refs and of names are told together', () => {
  const { told, request } = problems({
    name: 'NO',
    components: {
      'tektoncd/pipelin': 'tektoncd/pipeline#1',
      'tektoncd/oprator': 'no ref',
      'tektoncd/Triggers': 'tektoncd/triggers#7',
    },
    patches: { 'tektoncd/zzz': 'all' },
    notify: ['nobody'],
    releese: 'nightly',
  });
  expect(told).toEqual([
    'bad-name /name',
    'bad-ref /components/tektoncd~1oprator',
    'bad-request /patches/tektoncd~1zzz',
    'bad-request /releese',
    'unknown-component /components/tektoncd~1oprator',
    'unknown-component /components/tektoncd~1pipelin',
    'unknown-component /patches/tektoncd~1zzz',
    'unknown-notify-target /notify',
  ]);
  // What is well written can still be looked up, and says where it stands.
  expect(request?.components).toMatchObject({
    'tektoncd/triggers': { text: 'tektoncd/triggers#7', path: ['components', 'tektoncd/Triggers'] },
  });
});

test.for<[what: string, body: unknown, told: string[]]>([
  ['no object', ['x'], ['bad-request ']],
  ['nothing asked for', { name: 'x' }, ['bad-request /components']],
  ['a wrong name without refs', { name: 'NO', components: {} }, ['bad-name /name']],
  [
    'a release that is none',
    { name: 'x', product: 'o/p#1', release: 'nope' },
    ['unknown-release /release'],
  ],
])('nothing is looked up for %s', ([, body, told]) => {
  expect(problems(body)).toEqual({ told, request: undefined });
});

test('the names of too many components are not looked up', () => {
  const components = Object.fromEntries(
    Array.from({ length: 21 }, (_, index) => [`o/r${index}`, 'o/r#1']),
  );
  expect(problems({ name: 'x', components })).toEqual({
    told: ['too-many-components /components'],
    request: undefined,
  });
});

test('the product as it is is ready to be resolved, too', () => {
  const { told, request } = problems({ name: 'x', components: {} });
  expect(told).toEqual([]);
  expect(request).toMatchObject({ name: 'x', components: {} });
});

test('a request without problems is ready to be resolved', () => {
  const { told, request } = problems({ name: 'x', components: { 'tektoncd/pipeline': 'o/r#1' } });
  expect(told).toEqual([]);
  expect(request).toMatchObject({ name: 'x', release: 'nightly', remote: 'demo', rebuild: false });
});
