import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { demoProduct } from './demo-product.fixture.ts';
import type { Product } from './product.ts';
import { type SourceChange, updateUpstreamSources } from './update-upstream-sources.ts';
import { parseUpstreamSources, sourcesOfComponents } from './upstream-sources.ts';

const old = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';
const fresh = '0c07604dea5221f410cdbcbb78b1d961191017b6' as CommitSha;
const pipeline = 'tektoncd/pipeline' as ComponentName;
const pac = 'openshift-pipelines/pipelines-as-code' as ComponentName;

/** The demo product with these components only. */
function productOf(...names: ComponentName[]): Product {
  const product = demoProduct();
  const components = Object.fromEntries(names.map((name) => [name, product.components[name]]));
  return { ...product, components } as Product;
}

const two = productOf(pipeline, pac);

const file = `# sources of this branch
git:
  # the heart
  - url: https://github.com/tektoncd/pipeline.git  # a URL
    branch: main
    commit: ${old}
    automerge: 'yes'

  - automerge: 'never'
    commit: '${old}'   # pinned
    url: "https://github.com/tektoncd/pipelines-as-code"
    branch: "main"
    dest_formats: {branch: {gen_source_repos: true}}
`;

const change: SourceChange = {
  component: pipeline,
  url: 'https://github.com/me/pipeline',
  branch: 'fix/it',
  commit: fresh,
};

function update(text: string, changes: readonly SourceChange[], product = two): string {
  const updated = updateUpstreamSources(text, product, changes);
  return updated.ok ? updated.value : expect.fail(updated.failures[0].detail);
}

describe('the entries', () => {
  test('are read with their lines', () => {
    expect(parseUpstreamSources(file)).toMatchObject({
      ok: true,
      value: [
        { line: 4, branch: 'main', commit: old, repository: { path: 'tektoncd/pipeline' } },
        { line: 9, url: 'https://github.com/tektoncd/pipelines-as-code' },
      ],
    });
  });

  test('of a file without any are none', () => {
    for (const text of ['', '# nothing\n', 'git:\n', 'git: []\n', '{}'])
      expect(parseUpstreamSources(text)).toEqual({ ok: true, value: [] });
  });

  test('what looks like a number was meant as text', () => {
    const digits = `${'1'.repeat(37)}e10`;
    const text = `git: [{url: https://github.com/a/b, branch: 1.10, commit: ${digits}}]`;
    expect(parseUpstreamSources(text)).toMatchObject({
      ok: true,
      value: [{ branch: '1.10', commit: digits }],
    });
  });

  test.for<[text: string, line: number, detail: RegExp]>([
    ['git: x', 1, /must be a list/],
    ['- a', 1, /must be a list/],
    ['git:\n- x', 2, /must have url/],
    [`git:\n- url: https://github.com/a/b\n  commit: ${old}`, 2, /`branch`/],
    ['git:\n- url: https://github.com/a/b\n  branch: m\n  commit: abc', 2, /40/],
    [`git:\n- url: file:///x\n  branch: m\n  commit: ${old}`, 2, /"file:"/],
    ['git:\n  - url: "x', 2, /./],
    ['git:\n- url: a\n  url: b', 3, /unique/],
  ])('%j is refused at its line', ([text, line, detail]) => {
    const parsed = parseUpstreamSources(text);
    if (parsed.ok) return expect.fail('read');
    expect(parsed.failures[0]).toMatchObject({ reason: 'bad-product', about: { line } });
    expect(parsed.failures[0].detail).toMatch(detail);
  });
});

describe('the entry of a component', () => {
  const entries = (...urls: string[]) => {
    const text = urls.map((url) => `- {url: "${url}", branch: main, commit: ${old}}`).join('\n');
    const parsed = parseUpstreamSources(`git:\n${text}`);
    if (!parsed.ok) return expect.fail(parsed.failures[0].detail);
    return sourcesOfComponents(parsed.value, productOf(pipeline));
  };

  test.for([
    ['https://github.com/tektoncd/pipeline'],
    ['https://github.com/TektonCD/Pipeline.git/'],
    ['git@github.com:tektoncd/pipeline.git'],
    ['https://github.com/vdemeester/tektoncd-pipeline'],
    ['https://github.com/vdemeester/pipeline.git'],
  ])('is found at %s', ([url = '']) => {
    expect(entries('https://github.com/a/other', url)).toMatchObject({
      ok: true,
      value: { [pipeline]: { index: 1 } },
    });
  });

  test('is its own before that of a namesake', () => {
    expect(
      entries('https://github.com/x/pipeline', 'https://github.com/tektoncd/pipeline'),
    ).toMatchObject({
      ok: true,
      value: { [pipeline]: { index: 1 } },
    });
  });

  test('must be there, and once', () => {
    expect(entries('https://github.com/a/other')).toMatchObject({
      ok: false,
      failures: [{ detail: /no entry/ }],
    });
    expect(
      entries('https://github.com/tektoncd/pipeline', 'https://github.com/tektoncd/pipeline'),
    ).toMatchObject({
      ok: false,
      failures: [
        { detail: expect.stringContaining('second entry (the first: line 2)'), about: { line: 3 } },
      ],
    });
  });
});

describe('an update', () => {
  test('changes three scalars and nothing else', () => {
    expect(update(file, [change])).toBe(
      file
        .replace('https://github.com/tektoncd/pipeline.git', change.url)
        .replace('branch: main', 'branch: fix/it')
        .replace(old, fresh),
    );
  });

  test('changes nothing where nothing is new', () => {
    expect(update(file, [])).toBe(file);
    const same = {
      component: pipeline,
      url: 'https://github.com/tektoncd/pipeline.git',
      branch: 'main',
      commit: old as CommitSha,
    };
    expect(update(file, [same])).toBe(file);
  });

  test('finds the entry of an alias, keeps quotes, and explains itself above it', () => {
    const updated = update(file, [
      { ...change, component: pac, comment: 'tektoncd/pipelines-as-code#25 merged\ninto main' },
    ]);
    expect(updated).toContain(`  # tektoncd/pipelines-as-code#25 merged into main
  - automerge: 'never'
    commit: '${fresh}'   # pinned
    url: "https://github.com/me/pipeline"
    branch: "fix/it"
`);
    expect(updated).toContain("automerge: 'yes'");
  });

  test('keeps the ends of lines', () => {
    const updated = update(file.replaceAll('\n', '\r\n'), [{ ...change, comment: 'why' }]);
    expect(updated).toContain('  # why\r\n  - url: https://github.com/me/pipeline ');
    expect(updated.replaceAll('\r\n', '')).not.toContain('\n');
  });

  test('puts quotes around what would be a number', () => {
    const digits = '1'.repeat(40) as CommitSha;
    const updated = update(file, [{ ...change, commit: digits, branch: '1.10' }]);
    expect(updated).toContain(`commit: '${digits}'`);
    expect(updated).toContain("branch: '1.10'");
    expect(parse(updated, { version: '1.1' }).git[0]).toMatchObject({
      commit: digits,
      branch: '1.10',
    });
  });

  test('works in JSON, in a dash of its own, and with anchors that stay true', () => {
    const json = `{"git": [{"url": "https://github.com/tektoncd/pipeline", "branch": "main", "commit": "${old}"}]}`;
    expect(update(json, [change], productOf(pipeline))).toBe(
      `{"git": [{"url": "${change.url}", "branch": "fix/it", "commit": "${fresh}"}]}`,
    );
    const dashed = `git:\n-\n  url: https://github.com/tektoncd/pipeline\n  branch: main\n  commit: ${old}\n`;
    expect(update(dashed, [{ ...change, comment: 'why' }], productOf(pipeline))).toMatch(
      /^git:\n# why\n-\n {2}url: https:\/\/github.com\/me/,
    );
    const aliased = `b: &b main\ngit:\n- url: https://github.com/tektoncd/pipeline\n  branch: *b\n  commit: ${old}\n`;
    expect(update(aliased, [change], productOf(pipeline))).toContain(
      'b: &b main\ngit:\n- url: https://github.com/me/pipeline\n  branch: fix/it\n',
    );
  });

  test.for([
    [
      `git:\n- url: https://github.com/tektoncd/pipeline\n  branch: &b main\n  commit: ${old}\nother: *b\n`,
    ],
    [
      `x: &x {branch: main}\ngit:\n- <<: *x\n  url: https://github.com/tektoncd/pipeline\n  commit: ${old}\n`,
    ],
    [
      `git:\n- url: >-\n    https://github.com/tektoncd/pipeline\n  branch: main\n  commit: ${old}\n`,
    ],
  ])('refuses to change more than it was asked: %j', ([text = '']) => {
    expect(updateUpstreamSources(text, productOf(pipeline), [change])).toMatchObject({
      ok: false,
      failures: [
        { detail: expect.stringContaining('entry of tektoncd/pipeline cannot be changed') },
      ],
    });
  });
});
