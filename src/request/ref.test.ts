import { describe, expect, test } from 'vitest';
import { parseRef, parseRepository, pullRefName, type Ref, renderRef } from './ref.ts';

const sha = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';

/** Canonical text → every other spelling of the same source. */
const spellings: Record<string, string[]> = {
  'tektoncd/pipeline': [
    'https://github.com/tektoncd/pipeline',
    'https://github.com/tektoncd/pipeline/',
    'https://github.com/tektoncd/pipeline.git',
    'https://GitHub.com/TektonCD/Pipeline',
    'https://www.github.com/tektoncd/pipeline?tab=readme-ov-file',
    'http://github.com/tektoncd/pipeline',
    'https://github.com:443/tektoncd/pipeline',
    'github.com/tektoncd/pipeline',
    'git@github.com:tektoncd/pipeline.git',
    'ssh://git@github.com/tektoncd/pipeline.git',
    'ssh://git@github.com:22/tektoncd/pipeline',
    'tektoncd/pipeline#HEAD',
    'tektoncd/pipeline.git',
  ],
  'tektoncd/pipeline#4638': [
    'tektoncd/pipeline#pull/4638',
    'https://github.com/tektoncd/pipeline/pull/4638',
    'https://github.com/tektoncd/pipeline/pull/4638/',
    'https://github.com/tektoncd/pipeline/pull/4638/files',
    'https://github.com/tektoncd/pipeline/pull/4638/files?diff=split&w=1',
    'https://github.com/tektoncd/pipeline/pull/4638/commits',
    'https://github.com/tektoncd/pipeline/pull/4638#issuecomment-1050',
    'https://github.com/tektoncd/pipeline/pull/4638#discussion_r1',
    'https://github.com/tektoncd/pipeline/pull/4638.diff',
    'https://github.com/tektoncd/pipeline.git#4638',
    'https://github.com/tektoncd/pipeline.git#pull/4638',
    'git@github.com:tektoncd/pipeline.git#4638',
    'www.github.com/tektoncd/pipeline/pull/4638',
  ],
  'tektoncd/pipeline#pull/4638/head': [
    'tektoncd/pipeline#refs/pull/4638/head',
    'https://github.com/tektoncd/pipeline.git#pull/4638/head',
  ],
  'tektoncd/pipeline#pull/4638/merge': ['tektoncd/pipeline@refs/pull/4638/merge'],
  'vdemeester/tektoncd-pipeline#4636-no-override-on-propagation': [
    'https://github.com/vdemeester/tektoncd-pipeline/tree/4636-no-override-on-propagation',
    'vdemeester/tektoncd-pipeline@4636-no-override-on-propagation',
    'https://github.com/vdemeester/tektoncd-pipeline.git#4636-no-override-on-propagation',
  ],
  'owner/repo#branch/with/slashes': [
    'https://github.com/owner/repo/tree/branch/with/slashes',
    'https://github.com/owner/repo/tree/branch%2Fwith%2Fslashes/',
    'https://github.com/owner/repo/commits/branch/with/slashes',
  ],
  'owner/repo#fix#2@home': ['https://github.com/owner/repo/tree/fix%232@home'],
  'owner/repo#50%25': ['https://github.com/owner/repo.git#50%2525'],
  'owner/repo#refs/heads/x': ['owner/repo@refs/heads/x'],
  'owner/repo#refs/heads/4638': ['https://github.com/owner/repo#refs/heads/4638'],
  'owner/repo#refs/tags/v1.0': ['https://github.com/owner/repo/releases/tag/v1.0'],
  'owner/repo@4638': ['https://github.com/owner/repo/tree/4638'],
  'owner/repo#b3cbe87': ['owner/repo@b3cbe87'],
  [`owner/repo@${sha}`]: [
    `owner/repo#${sha}`,
    `https://github.com/owner/repo/commit/${sha}`,
    `https://github.com/owner/repo/commit/${sha}.patch`,
    `https://github.com/owner/repo/commit/${sha.toUpperCase()}`,
    `https://github.com/owner/repo/tree/${sha}`,
    `https://github.com/owner/repo/pull/7/commits/${sha}`,
  ],
  'https://github.com/owner/repo/commit/b3cbe87': [
    'https://github.com/owner/repo/pull/7/commits/b3cbe87',
  ],
  'owner/repo#refs/changes/34/1234/5': ['https://github.com/owner/repo#refs/changes/34/1234/5'],
  'https://gitlab.com/group/sub/project.git#5': [
    'https://gitlab.com/group/sub/project/-/merge_requests/5',
    'https://gitlab.com/Group/sub/project/-/merge_requests/5/diffs?commit_id=abc#note_1',
    'https://gitlab.com/group/sub/project/merge_requests/5',
    'https://gitlab.com/group/sub/project.git#pull/5',
    'git@gitlab.com:group/sub/project.git#merge-requests/5',
  ],
  'https://gitlab.com/group/sub/project.git#pull/5/head': [
    'https://gitlab.com/group/sub/project.git#refs/merge-requests/5/head',
  ],
  'https://gitlab.com/group/sub/project.git#some/branch': [
    'https://gitlab.com/group/sub/project/-/tree/some/branch',
  ],
  'https://gitlab.com/group/project.git#refs/heads/x': [
    'https://gitlab.com/group/project/-/tree/x?ref_type=heads',
  ],
  'https://gitlab.com/group/project.git#refs/tags/v2': [
    'https://gitlab.com/group/project/-/tags/v2',
    'https://gitlab.com/group/project/-/tree/v2?ref_type=tags',
    'https://gitlab.com/group/project/-/releases/v2',
  ],
  [`https://gitlab.com/group/project.git#${sha}`]: [
    `https://gitlab.com/group/project/-/commit/${sha}?view=parallel`,
  ],
  'https://git.example.com/a/b/c/-/merge_requests/5': [
    'https://git.example.com/a/b/c.git#merge-requests/5',
  ],
  'https://codeberg.org/owner/repo.git#5': [
    'https://codeberg.org/owner/repo/pulls/5',
    'https://codeberg.org/owner/repo/pulls/5/files',
  ],
  'https://codeberg.org/owner/repo.git#refs/heads/a/b': [
    'https://codeberg.org/owner/repo/src/branch/a/b',
  ],
  'https://codeberg.org/owner/repo.git#refs/tags/v1': [
    'https://codeberg.org/owner/repo/src/tag/v1',
  ],
  [`https://codeberg.org/owner/repo.git#${sha}`]: [
    `https://codeberg.org/owner/repo/src/commit/${sha}`,
  ],
  'https://git.example.com/Owner/repo.git#12': [
    'https://git.example.com/Owner/repo/pulls/12',
    'https://git.example.com/Owner/repo/pull/12',
    'https://git.example.com/Owner/repo#12',
    'git@git.example.com:Owner/repo.git#12',
    'ssh://me@git.example.com:2222/Owner/repo.git#12',
  ],
  'https://git.example.com/path.git#ref': ['https://GIT.example.com./path#ref'],
  'http://127.0.0.1:8081/tektoncd/pipeline.git#main': [
    'http://127.0.0.1:8081/tektoncd/pipeline/tree/main',
  ],
};

describe('all spellings of one source are one ref', () => {
  const cases = Object.entries(spellings).flatMap(([canonical, others]) =>
    [canonical, ...others].map((text) => [text, canonical] as const),
  );
  test.for(cases)('%s is %s', ([text, canonical]) => {
    const parsed = parseRef(text);
    expect(parsed).toMatchObject({ ok: true });
    expect(parsed).toEqual(parseRef(canonical));
    expect(parsed.ok && renderRef(parsed.value)).toBe(canonical);
  });

  test('different sources are different refs', () => {
    const texts = Object.keys(spellings);
    const values = new Set(texts.map((text) => JSON.stringify(parseRef(text))));
    expect(values.size).toBe(texts.length);
  });
});

test('a ref says where git fetches from', () => {
  expect(read('git@github.com:tektoncd/pipeline.git#pull/4638').repository).toEqual({
    host: 'github.com',
    path: 'tektoncd/pipeline',
    url: 'https://github.com/tektoncd/pipeline',
  });
  expect(read('http://127.0.0.1:8081/a/b.git').repository.url).toBe('http://127.0.0.1:8081/a/b');
});

test.for<[text: string, name: string]>([
  ['tektoncd/pipeline#4638', 'refs/pull/4638/head'],
  ['tektoncd/pipeline#pull/4638/merge', 'refs/pull/4638/merge'],
  ['https://gitlab.com/g/p/-/merge_requests/5', 'refs/merge-requests/5/head'],
  ['https://gitlab.example.com/g/p.git#5', 'refs/merge-requests/5/head'],
  ['https://codeberg.org/o/r/pulls/5', 'refs/pull/5/head'],
])('the pull request %s is kept as %s', ([text, name]) => {
  const ref = read(text);
  expect(ref.kind === 'pull-request' && pullRefName(ref)).toBe(name);
});

describe('what is no ref is refused, with the nearest form that is one', () => {
  test.for<[text: string, detail: RegExp, hint: string | RegExp]>([
    ['https://git.example.com/o/r.git/x/-', /path is not valid at "r\.git"/, /./],
    ['https://github.com/o/r~', /"o\/r~" is no owner\/repo/, /./],
    ['https://git.example.com/o/...git', /path is not valid at "\.\."/, /./],
    ['', /empty/, /tektoncd\/pipeline#4638/],
    [' tektoncd/pipeline#4638\n', /white space/, 'Did you mean tektoncd/pipeline#4638?'],
    ['tektoncd/pipeline 4638', /white space/, 'Did you mean tektoncd/pipeline#4638?'],
    ['tektoncd/pipeline#my branch', /white space/, 'Did you mean tektoncd/pipeline#my-branch?'],
    ['tektoncd/pipeline#ma\u0000in', /control/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipeline#\u202emain', /invisible/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipe\u200bline#main', /invisible/, 'Did you mean tektoncd/pipeline#main?'],
    ['https://github.com/o/r/tree/a%00b', /control/, /Write/],
    ['https://github.com/o/r/tree/a%E2%80%AEb', /invisible/, /Write/],
    ['-xtektoncd/pipeline', /option/, /Did you mean xtektoncd\/pipeline\?/],
    ['--upload-pack=touch', /option/, /Write/],
    ['tektoncd/pipeline#-x', /must not begin with "-"/, /Write/],
    ['tektoncd/pipeline#a..b', /"\.\."/, 'Did you mean tektoncd/pipeline#a?'],
    ['tektoncd/pipeline#main@{1}', /"@\{"/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipeline#main~1', /~ \^/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipeline#main:docs', /: \?/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipeline#main/', /end with "\/"/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipeline#a//b', /"\/\/"/, /Write/],
    ['tektoncd/pipeline#a.lock', /"\.lock"/, /Write/],
    ['tektoncd/pipeline#a/.b', /begin with "\."/, /Write/],
    ['tektoncd/pipeline#main.', /end with "\."/, 'Did you mean tektoncd/pipeline#main?'],
    ['tektoncd/pipeline#@', /"@" alone/, /Write/],
    ['tektoncd/pipeline#', /missing/, /Write/],
    ['tektoncd/pipeline#refs/heads/', /missing/, /Write|mean/],
    ['tektoncd/pipeline#0', /no number of a pull request/, /Write/],
    [
      'tektoncd/pipeline#04638',
      /no number of a pull request/,
      'Did you mean tektoncd/pipeline#4638?',
    ],
    ['tektoncd/pipeline#pull/4638/files', /only "\/head" and "\/merge"/, /#pull\/4638\/head/],
    ['tektoncd/pipeline#pull/abc', /no number/, /Write/],
    [`tektoncd/pipeline#${'a'.repeat(500)}`, /longer than 500/, /Write/],
    ['tektoncd/pipeline/pull/4638', /neither/, 'Did you mean tektoncd/pipeline#4638?'],
    ['tektoncd/pipeline:main', /owner\/repo is not valid/, 'Did you mean tektoncd/pipeline#main?'],
    ['main', /neither/, /Write/],
    ['https://user:hunter2@github.com/o/r', /user name or password/, /Never put a credential/],
    ['http://token@github.com/o/r', /user name or password/, /Never put a credential/],
    ['ssh://git:hunter2@github.com/o/r', /user name or password/, /Never put a credential/],
    ['file:///etc/passwd', /"file:"/, /https URL/],
    ['file:/etc/passwd', /"file:"/, /https URL/],
    ['ext::sh -c whoami', /white space/, /https|Write/],
    ['ext::sh', /"ext:"/, /https URL/],
    ['javascript:alert(1)', /"javascript:"/, /https URL/],
    ['git://github.com/o/r', /"git:"/, /https URL/],
    ['https://', /host name/, /Write/],
    ['https://github.com', /no repository/, /Write/],
    ['https://github.com/tektoncd', /no repository/, /Write/],
    ['https://github.com/o/../r', /"\." or "\.\."/, /Write|mean/],
    ['https://github.com/o/%2e%2e/r', /"\." or "\.\."/, /Write/],
    ['https://github.com/o//r', /"\/\/"/, /Write/],
    ['https://github.com/o/r/tree/%zz', /percent-encoding/, /Write/],
    ['https://github.com/o/r/issues/7', /an issue/, 'If number 7 is a pull request, write o/r#7'],
    ['https://github.com/o/r/blob/main/x.go', /page of a file/, 'Write the branch: o/r#main'],
    ['https://github.com/o/r/compare/main...me:fix', /comparison/, /me\/r#fix/],
    ['https://github.com/o/r/wiki', /shows no pull request/, /o\/r#main/],
    ['https://github.com/o/r?branch=dev', /"\?branch="/, /o\/r#dev/],
    ['https://github.com/o/r/commit/xyz', /no commit/, /Write/],
  ])('%j', ([text, detail, hint]) => {
    const parsed = parseRef(text);
    if (parsed.ok) expect.fail(`read as ${renderRef(parsed.value)}`);
    const [failure] = parsed.failures;
    expect(failure).toMatchObject({ reason: 'bad-ref', detail: expect.stringMatching(detail) });
    if (typeof hint === 'string') expect(failure.hint).toBe(hint);
    else expect(failure.hint).toMatch(hint);
  });

  test('a password does not come back', () => {
    const parsed = parseRef('https://me:hunter2@github.com/o/r');
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });

  test('what a terminal would obey is shown as text', () => {
    const parsed = parseRef('o/r#\u001b[2J\u202e');
    expect(parsed.ok || parsed.failures[0].detail).toContain('\\u{1b}[2J\\u{202e}');
  });

  test('a ref without its repository is completed by the component', () => {
    const parsed = parseRef('#12', 'tektoncd/chains');
    expect(parsed.ok || parsed.failures[0].hint).toBe('Did you mean tektoncd/chains#12?');
  });
});

test('the URL of a repository is only that', () => {
  expect(parseRepository('https://github.com/o/r.git')).toMatchObject({
    ok: true,
    value: { url: 'https://github.com/o/r' },
  });
  expect(parseRepository('https://github.com/o/r/pull/7')).toMatchObject({
    ok: false,
    failures: [{ hint: 'Write https://github.com/o/r' }],
  });
});

function read(text: string): Ref {
  const parsed = parseRef(text);
  if (!parsed.ok) return expect.fail(parsed.failures[0].detail);
  return parsed.value;
}
