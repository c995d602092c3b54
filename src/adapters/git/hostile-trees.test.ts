import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { failureOf } from '../../../test/support/failure-of.ts';
import {
  createRepository,
  type TestRepository,
  temporaryFolder,
} from '../../../test/support/git-repository.ts';
import { gitTreeSha, readText } from '../../plan/file-tree.ts';
import type { CommitSha } from '../../plan/names.ts';
import { packTree, unpackTree } from '../../steps/tar-tree.ts';
import { writeTree } from '../../steps/write-tree.ts';
import { run } from '../processes/command.ts';
import { openShelf } from '../storage/shelf.ts';
import { createGit } from './git-command.ts';
import { createMirrors } from './git-mirrors.ts';

const git = createGit({ urls: {}, credentials: {}, protocols: ['file'] });

async function world() {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  const upstream = await createRepository(join(folder.path, 'upstream'));
  const shelf = openShelf(join(folder.path, 'mirrors'));
  const mirror = await createMirrors(git, shelf, join(folder.path, 'wholes')).mirror(upstream.url);
  return { folder: folder.path, upstream, mirror };
}

/** An object as it is, however wrong. */
async function write(
  { folder }: TestRepository,
  type: string,
  content: Buffer | string,
): Promise<string> {
  const made = await run('git', ['hash-object', '-w', '--literally', '-t', type, '--stdin'], {
    ...{ cwd: folder, input: content },
  });
  expect(made.stderr).toBe('');
  return made.stdout.toString().trim();
}

type Row = readonly [mode: string, name: string | Buffer, object: string];

/** A commit whose tree has these rows, in this order. */
async function commit(repository: TestRepository, rows: readonly Row[]): Promise<CommitSha> {
  return commitTree(repository, await tree(repository, rows));
}

function tree(repository: TestRepository, rows: readonly Row[]): Promise<string> {
  const encoded = rows.map(([mode, name, object]) =>
    Buffer.concat([
      Buffer.from(`${mode} `),
      Buffer.from(name),
      Buffer.from([0]),
      Buffer.from(object, 'hex'),
    ]),
  );
  return write(repository, 'tree', Buffer.concat(encoded));
}

async function commitTree(repository: TestRepository, made: string): Promise<CommitSha> {
  const head = (await repository.git('commit-tree', '-m', 'hostile', made)) as CommitSha;
  await repository.ref('refs/heads/hostile', head);
  return head;
}

test('names that no disk should hold are the fault of the ref, and told', async () => {
  const { upstream, mirror } = await world();
  const blob = await write(upstream, 'blob', 'x\n');
  const inner = await tree(upstream, [['100644', 'config', blob]]);
  const trees: readonly (readonly [string, readonly Row[]])[] = [
    ['.git', [['40000', '.git', inner]]],
    ['.GIT', [['40000', '.GiT', inner]]],
    ['..', [['40000', '..', inner]]],
    ['.', [['100644', '.', blob]]],
    ['a path as a name', [['100644', '../../etc/passwd', blob]]],
    ['an absolute path', [['100644', '/etc/passwd', blob]]],
    ['a long name', [['100644', 'n'.repeat(256), blob]]],
    ['not UTF-8', [['100644', Buffer.from([0x66, 0xff]), blob]]],
    [
      'a file twice',
      [
        ['100644', 'f', blob],
        ['100644', 'f', blob],
      ],
    ],
    [
      'a link and a folder of one name',
      [
        ['120000', 'f', blob],
        ['40000', 'f', inner],
      ],
    ],
  ];
  for (const [title, rows] of trees) {
    const head = await commit(upstream, rows);
    await mirror.fetch(upstream.url, [head]);
    const failure = await failureOf(mirror.files(head));
    expect(failure.reason, title).toBe('unusable-files');
    expect(`${failure.detail}${failure.hint}`).toMatch(/^[ -~]+$/);
  }
});

test('trees nested too deeply, or to a list without end, are refused', async () => {
  const { upstream, mirror } = await world();
  const blob = await write(upstream, 'blob', 'x\n');
  let deep = await tree(upstream, [['100644', 'f', blob]]);
  for (let level = 0; level < 300; level += 1) deep = await tree(upstream, [['40000', 'a', deep]]);
  const head = await commitTree(upstream, deep);
  await mirror.fetch(upstream.url, [head]);
  expect(await failureOf(mirror.files(head))).toMatchObject({ reason: 'unusable-files' });

  let bomb = await tree(upstream, [['100644', 'f', blob]]);
  const digits = [...'0123456789'];
  for (let level = 0; level < 9; level += 1)
    bomb = await tree(
      upstream,
      digits.map((digit) => ['40000', digit, bomb]),
    );
  const endless = await commitTree(upstream, bomb);
  await mirror.fetch(upstream.url, [endless]);
  expect(await failureOf(mirror.files(endless))).toMatchObject({ reason: 'bad-product' });
});

test('odd names and links are data, byte for byte, in memory, in archives and on disk', async () => {
  const { folder, upstream, mirror } = await world();
  const blob = await write(upstream, 'blob', '$Id$ $Format:%H$\r\nx\r\n');
  const attributes =
    '* text eol=crlf ident export-subst filter=evil working-tree-encoding=UTF-16\n';
  const links = ['/etc/passwd', '..', '.git', 'loop'];
  const targets = await Promise.all(links.map((target) => write(upstream, 'blob', target)));
  const rows: Row[] = [
    ['100644', '-rf', blob],
    ['100644', '.gitattributes', await write(upstream, 'blob', attributes)],
    [
      '100644',
      '.gitmodules',
      await write(
        upstream,
        'blob',
        '[submodule "-u/x"]\n\tpath = sub\n\turl = ext::sh -c touch% /tmp/owned\n',
      ),
    ],
    ['100644', 'F', blob],
    ['100644', 'a\\b', blob],
    ['100644', 'f', blob],
    ['100644', 'git~1', blob],
    ['120000', 'l0', targets[0] ?? ''],
    ['120000', 'l1', targets[1] ?? ''],
    ['120000', 'l2', targets[2] ?? ''],
    ['120000', 'loop', targets[3] ?? ''],
    ['100644', 'new\nline', blob],
    ['160000', 'sub', '1'.repeat(40)],
    ['100644', '\u202etxt.exe', blob],
  ];
  const head = await commit(upstream, rows);
  await mirror.fetch(upstream.url, [head]);
  const { files, submodules } = await mirror.files(head);
  expect(submodules).toEqual(['sub']);
  expect(files.size).toBe(rows.length - 1);
  for (const name of ['-rf', 'a\\b', 'f', 'F', 'new\nline'])
    expect(readText(files, name)).toBe('$Id$ $Format:%H$\r\nx\r\n');
  expect(files.get('l0')).toEqual({ mode: '120000', content: Buffer.from('/etc/passwd') });
  const unpacked = await unpackTree(await packTree(files), { bytes: 2 ** 20, entries: 100 });
  if (!unpacked.ok) throw new Error(unpacked.failures[0]);
  expect(gitTreeSha(unpacked.value)).toBe(gitTreeSha(files));
  await writeTree(files, join(folder, 'written'));
});
