import { describe, expect, test } from 'vitest';
import { demoProduct } from '../product/demo-product.fixture.ts';
import { checkRequest } from './check-request.ts';
import { matchComponent } from './match-component.ts';
import { parseRequest } from './parse-request.ts';

const product = demoProduct();
const remote = { push: 'registry.example.com/demo', default: false };
const known = {
  remotes: { demo: { ...remote, default: true }, team: remote },
  notify: { team: {} },
  'allow-unconfined': false,
};

function check(body: object, names: Parameters<typeof checkRequest>[2] = known) {
  const request = parseRequest({ name: 'x', product: 'o/p#1', ...body });
  if (!request.ok) return expect.fail(request.failures[0].detail);
  return checkRequest(request.value, product, names);
}

test('defaults are filled in, and aliases become the names of components', () => {
  expect(
    check({ components: { 'Tektoncd/Pipelines-as-code': 'a/b#1' }, notify: ['team'] }),
  ).toMatchObject({
    ok: true,
    value: {
      release: 'nightly',
      remote: 'demo',
      notify: ['team'],
      components: { 'openshift-pipelines/pipelines-as-code': { text: 'a/b#1' } },
    },
  });
});

test('the only remote is the default', () => {
  const remotes = { team: remote };
  expect(check({}, { ...known, remotes })).toMatchObject({ ok: true, value: { remote: 'team' } });
});

describe('unknown names are told, with the nearest known', () => {
  test.for<[body: object, reason: string, pointer: string, text: RegExp]>([
    [
      { components: { 'tektoncd/pipelin': 'a/b#1' } },
      'unknown-component',
      '/components/tektoncd~1pipelin',
      /mean tektoncd\/pipeline\b/,
    ],
    [
      { components: { pipeline: 'a/b#1' } },
      'unknown-component',
      '/components/pipeline',
      /mean tektoncd\/pipeline\b/,
    ],
    [
      { components: { 'x/zzzzzzzz': 'a/b#1' } },
      'unknown-component',
      '/components/x~1zzzzzzzz',
      /Components: tektoncd/,
    ],
    [
      { patches: { 'tektoncd/pipelin': 'none' } },
      'unknown-component',
      '/patches/tektoncd~1pipelin',
      /mean/,
    ],
    [
      { patches: { 'tektoncd/operator': 'none' } },
      'unknown-patch',
      '/patches/tektoncd~1operator',
      /no patches/,
    ],
    [
      {
        components: {
          'openshift-pipelines/pipelines-as-code': 'a/b#1',
          'tektoncd/pipelines-as-code': 'a/b#2',
        },
      },
      'bad-request',
      '/components/tektoncd~1pipelines-as-code',
      /both names/,
    ],
    [{ release: 'nightli' }, 'unknown-release', '/release', /mean nightly/],
    [{ release: 'constructor' }, 'unknown-release', '/release', /Known: /],
    [
      { components: { toString: 'a/b#1' } },
      'unknown-component',
      '/components/toString',
      /Components/,
    ],
    [{ remote: 'dem' }, 'unknown-remote', '/remote', /mean demo/],
    [{ notify: ['temm'] }, 'unknown-notify-target', '/notify', /mean team/],
  ])('%j', ([body, reason, pointer, text]) => {
    const checked = check(body);
    if (checked.ok) return expect.fail('accepted');
    expect(checked.failures).toHaveLength(1);
    const [failure] = checked.failures;
    expect(failure).toMatchObject({ reason, pointer });
    expect(`${failure.detail} ${failure.hint}`).toMatch(text);
  });

  test('all at once', () => {
    const checked = check({
      components: { 'a/b': 'a/b#1' },
      release: 'x',
      remote: 'y',
      notify: 'z',
    });
    expect(checked.ok ? 0 : checked.failures.length).toBe(4);
  });

  test('a remote must be named where there is no default', () => {
    const remotes = { a: remote, b: remote };
    expect(check({}, { ...known, remotes })).toMatchObject({
      ok: false,
      failures: [{ reason: 'unknown-remote', hint: 'Known: a, b.' }],
    });
  });
});

describe('the component of a ref without a map', () => {
  test.for<[text: string, component: string, ref?: string]>([
    ['tektoncd/pipeline#4638', 'tektoncd/pipeline'],
    ['https://github.com/TektonCD/pipeline/pull/4638', 'tektoncd/pipeline'],
    ['tektoncd/pipelines-as-code#1', 'openshift-pipelines/pipelines-as-code'],
    ['vdemeester/tektoncd-pipeline#x', 'tektoncd/pipeline'],
    ['vdemeester/pipeline#x', 'tektoncd/pipeline'],
    ['me/openshift-pipelines-pipelines-as-code#x', 'openshift-pipelines/pipelines-as-code'],
    ['https://git.example.com/mirror/operator.git#x', 'tektoncd/operator'],
    ['tektoncd/pipeline=vdemeester/x#branch', 'tektoncd/pipeline', 'vdemeester/x#branch'],
    ['tektoncd/pipelines-as-code=me/x@y=z', 'openshift-pipelines/pipelines-as-code', 'me/x@y=z'],
  ])('%s is for %s', ([text, component, ref]) => {
    expect(matchComponent(text, product)).toEqual({
      ok: true,
      value: { component, ref: ref ?? text },
    });
  });

  test.for<[text: string, reason: string, hint: RegExp]>([
    [
      'vdemeester/other#x',
      'unknown-component',
      /^Say which it is: tektoncd\/pipeline=vdemeester\/other#x/,
    ],
    ['tektoncd/pipelin=a/b#1', 'unknown-component', /mean tektoncd\/pipeline/],
    ['tektoncd/pipeline=#1', 'bad-ref', /mean tektoncd\/pipeline#1/],
    ['x y', 'bad-ref', /./],
  ])('%s is refused', ([text, reason, hint]) => {
    expect(matchComponent(text, product)).toMatchObject({
      ok: false,
      failures: [{ reason, hint: expect.stringMatching(hint) }],
    });
  });

  test('a fork whose name fits two components is asked about', () => {
    const { 'tektoncd/pipeline': pipeline, ...others } = product.components as Record<
      string,
      never
    >;
    const two = {
      ...product,
      components: { ...others, 'a/pipeline': pipeline, 'b/pipeline': pipeline },
    };
    expect(matchComponent('me/pipeline#1', two as never)).toMatchObject({
      ok: false,
      failures: [
        {
          detail: expect.stringContaining('a/pipeline or b/pipeline'),
          hint: 'Say which it is: a/pipeline=me/pipeline#1',
        },
      ],
    });
  });
});
