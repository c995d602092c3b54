import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CommitSha } from '../plan/names.ts';
import { parseRef, type Ref, renderRef } from './ref.ts';
import { refNameProblem } from './ref-name.ts';
import { pullSpaceOf, repositoryAt } from './repository.ts';

// Strings are made from lists of characters: `stringMatching` and `filter` would take most of the time.
const textOf = (characters: string, minLength: number, maxLength: number) =>
  fc
    .array(fc.constantFrom(...characters), { minLength, maxLength })
    .map((picked) => picked.join(''));
const hex = '0123456789abcdef';
const segment = fc
  .tuple(textOf('az09_', 1, 1), textOf('az09_-', 0, 8))
  .map((parts) => parts.join(''));
const host = fc.constantFrom(
  ...['github.com', 'gitlab.com', 'codeberg.org', 'git.example.com', '127.0.0.1:8081'],
);
const repository = fc
  .tuple(host, segment, segment)
  .map(([at, owner, repo]) => repositoryAt('https', at, `${owner}/${repo}`));

/** Names that git takes, and that are not something else by their form. */
const name = fc
  .oneof(
    textOf('azAZ09._#@%+/-=$(`"\'<>|;&!é漢🎈', 1, 16),
    textOf('0123456789', 1, 8),
    textOf(hex, 7, 12),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
  )
  .map((text) => (isName(text) ? text : `x${text.length}`));

function isName(text: string): boolean {
  return (
    refNameProblem(text) === undefined &&
    !/\s/u.test(text) &&
    !invisible.test(text) &&
    !/^(refs|pull|merge-requests)\/|^HEAD$|^[0-9a-fA-F]{40}$/.test(text)
  );
}

const invisible = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

type Kind = Ref['kind'];
const kinds: readonly Kind[] = [
  ...([
    'default-branch',
    'pull-request',
    'branch',
    'tag',
    'name',
    'commit',
    'abbreviation',
    'full-ref',
  ] as const),
];
const ref: fc.Arbitrary<Ref> = fc
  .record({
    repository,
    kind: fc.constantFrom(...kinds),
    number: fc.integer({ min: 1, max: 999_999_999 }),
    part: fc.constantFrom('auto' as const, 'head' as const, 'merge' as const),
    foreign: fc.boolean(),
    name,
    digits: textOf(hex, 40, 40),
    length: fc.integer({ min: 4, max: 39 }),
  })
  .map((from) => refOf(from));

interface Ingredients {
  readonly repository: Ref['repository'];
  readonly kind: Kind;
  readonly number: number;
  readonly part: 'auto' | 'head' | 'merge';
  readonly foreign: boolean;
  readonly name: string;
  readonly digits: string;
  readonly length: number;
}

function refOf({
  repository,
  kind,
  number,
  part,
  foreign,
  name,
  digits,
  length,
}: Ingredients): Ref {
  const fixed = ['github.com', 'codeberg.org'].includes(repository.host);
  const space = foreign && !fixed ? 'merge-requests' : pullSpaceOf(repository.host);
  switch (kind) {
    case 'default-branch':
      return { kind, repository };
    case 'pull-request':
      return { kind, repository, number, part, space };
    case 'commit':
      return { kind, repository, sha: digits as CommitSha };
    case 'abbreviation':
      return { kind, repository, prefix: digits.slice(0, length) };
    case 'full-ref':
      return { kind, repository, name: `refs/changes/${name}` };
    default:
      return { kind, repository, name };
  }
}

// Plain comparisons, not `expect`: a hundred thousand cases shall take seconds.
const often = { numRuns: 100_000 };
const patience = { timeout: 120_000 };

test('a ref that is rendered and parsed again is the same ref', patience, () => {
  fc.assert(
    fc.property(ref, (value) => isDeepStrictEqual(parseRef(renderRef(value)), { ok: true, value })),
    often,
  );
});

const alphabet = fc.constantFrom(
  ...'abz09AZ/#@:.?%&=~^*[]{}\\-_+ \t\n\0\u001b\u00a0\u00ad\u200b\u202e\u2066\ufeff\ud800éß漢🎈',
  ...[
    '..',
    '.git',
    '.lock',
    '@{',
    '--upload-pack=',
    'refs/heads/',
    'pull/',
    '%2e%2e',
    '%00',
    '%0a',
  ],
  ...[
    'https://',
    'ssh://',
    'file://',
    'ext::',
    'git@',
    'github.com',
    'git.example.com',
    '$(id)',
    '`id`',
  ],
);
const noise = fc.array(alphabet, { maxLength: 24 }).map((parts) => parts.join(''));
/** Much of it can be read. */
const tame = fc
  .array(fc.constantFrom(...'abz09/.-_@#+~', '..', '.git', '/tree/', '/pull/', '%2e', '%2F', 'é'), {
    maxLength: 10,
  })
  .map((parts) => parts.join(''));
const anyText = fc.oneof(
  noise,
  tame,
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .tuple(
      fc.constantFrom(
        ...[
          'o/r#',
          'o/r@',
          'https://github.com/o/r/tree/',
          'https://h/x.git#',
          'git@h:',
          'ssh://git@h/',
        ],
        ...['https://gitlab.com/o/r/-/commit/', 'https://h/o/r/src/branch/', 'https://'],
      ),
      fc.oneof(noise, tame),
    )
    .map((parts) => parts.join('')),
);

test(
  'any text is read or refused with a hint, and what is read is no option, no path upwards and one line',
  patience,
  () => {
    let read = 0;
    fc.assert(
      fc.property(anyText, (text) => {
        const parsed = parseRef(text, 'tektoncd/pipeline');
        if (!parsed.ok) {
          const [{ reason, detail, hint }] = parsed.failures;
          // What is told again is safe on a terminal.
          return reason === 'bad-ref' && hint !== '' && !invisible.test(`${detail}${hint}`);
        }
        read += 1;
        return isSafe(parsed.value) && isDeepStrictEqual(parseRef(renderRef(parsed.value)), parsed);
      }),
      often,
    );
    // Else the property says nothing.
    expect(read).toBeGreaterThan(1000);
  },
);

/** What reaches git: the URL and a name, each an argument or a line of its standard input. */
function isSafe(value: Ref): boolean {
  const { url } = value.repository;
  return (
    /^https?:\/\/[a-z0-9[][^\s@]*$/.test(url) &&
    !/\/\.\.?(\/|$)/.test(url) &&
    !invisible.test(url) &&
    (!('name' in value) ||
      (refNameProblem(value.name) === undefined && !/^-|\s|\.\./u.test(value.name)))
  );
}
