import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRef, type Ref, renderRef } from './ref.ts';
import { refNameProblem } from './ref-name.ts';
import { pullSpaceOf, repositoryAt } from './repository.ts';

const segment = fc.stringMatching(/^[a-z0-9_][a-z0-9_-]{0,12}$/);
const host = fc.constantFrom(
  'github.com',
  'gitlab.com',
  'codeberg.org',
  'git.example.com',
  '127.0.0.1:8081',
);
const repository = fc
  .tuple(host, segment, segment)
  .map(([at, owner, repo]) => repositoryAt('https', at, `${owner}/${repo}`));

/** Names that git takes, and that are not something else by their form. */
const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.stringMatching(/^[a-zA-Z0-9._#@%+/-]{1,30}$/),
    fc.stringMatching(/^\d{1,8}$/),
    fc.stringMatching(/^[0-9a-f]{7,12}$/),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
  )
  .filter(
    (text) =>
      refNameProblem(text) === undefined &&
      !/[\s\p{C}\p{Default_Ignorable_Code_Point}]/u.test(text),
  )
  .filter((text) => !/^(refs|pull|merge-requests)\/|^HEAD$|^[0-9a-fA-F]{40}$/.test(text));

const part = fc.constantFrom('auto' as const, 'head' as const, 'merge' as const);
const ref: fc.Arbitrary<Ref> = repository.chain((repo): fc.Arbitrary<Ref> => {
  const own = pullSpaceOf(repo.host);
  const spaces =
    repo.host === 'github.com' || repo.host === 'codeberg.org'
      ? [own]
      : [own, 'merge-requests' as const];
  return fc.oneof(
    fc.constant<Ref>({ kind: 'default-branch', repository: repo }),
    fc.tuple(fc.integer({ min: 1, max: 999_999_999 }), part, fc.constantFrom(...spaces)).map(
      ([number, which, space]): Ref => ({
        kind: 'pull-request',
        repository: repo,
        number,
        part: which,
        space,
      }),
    ),
    fc
      .tuple(fc.constantFrom('branch' as const, 'tag' as const, 'name' as const), name)
      .map(([kind, text]): Ref => ({ kind, repository: repo, name: text })),
    fc
      .stringMatching(/^[0-9a-f]{40}$/)
      .map((sha) => ({ kind: 'commit', repository: repo, sha }) as Ref),
    fc
      .stringMatching(/^[0-9a-f]{4,39}$/)
      .map((prefix): Ref => ({ kind: 'abbreviation', repository: repo, prefix })),
  );
});

test('a ref that is rendered and parsed again is the same ref', () => {
  fc.assert(
    fc.property(ref, (value) => {
      expect(parseRef(renderRef(value))).toEqual({ ok: true, value });
    }),
  );
});

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.stringMatching(/^(https?|ssh|ext|file):\/{0,2}[a-z@:.#/%?-]{0,40}$/),
  fc
    .tuple(
      fc.constantFrom('o/r#', 'o/r@', 'https://github.com/o/r/tree/', 'https://h/x.git#', 'git@h:'),
      fc.string({ unit: 'binary' }),
    )
    .map((parts) => parts.join('')),
);

test('any text is read or refused, and never breaks', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const parsed = parseRef(text, 'tektoncd/pipeline');
      if (parsed.ok) expect(parseRef(renderRef(parsed.value))).toEqual(parsed);
      else
        expect(parsed.failures[0]).toMatchObject({
          reason: 'bad-ref',
          hint: expect.stringMatching(/./),
        });
    }),
    { numRuns: 1000 },
  );
});

test('nothing that is read can be an option, a path upwards or a line of its own', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const parsed = parseRef(text);
      if (!parsed.ok) return;
      const { url } = parsed.value.repository;
      expect(url).toMatch(/^https?:\/\/[a-z0-9[][^\s@]*$/);
      expect(url).not.toMatch(/\/\.\.?(\/|$)|\p{C}/u);
      if ('name' in parsed.value) expect(refNameProblem(parsed.value.name)).toBeUndefined();
    }),
    { numRuns: 1000 },
  );
});
