import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { branchesOf, type History, histories, mirrored, pullRequests } from './demo/history.ts';
import { BareRepository, type Signature } from './repositories/bare-repository.ts';
import { type FileSet, readFileSet, redo, undo } from './repositories/file-set.ts';

const demo = join(import.meta.dirname, 'demo');

/**
 * Makes the demo's git repositories, bare, as `<folder>/<owner>/<repo>.git`: histories, branches, tags, forks and pull requests as
 * `demo/history.ts` tells them. Every commit has the same SHA on every machine. A folder that is there is made anew.
 */
export function makeRepositories(folder: string): void {
  const next = `${resolve(folder)}.next-${process.pid}`;
  rmSync(next, { recursive: true, force: true });
  const made = new Map<string, BareRepository>();
  for (const history of histories) made.set(history.name, makeRepository(next, history, made));
  for (const [alias, name] of Object.entries(mirrored)) {
    mkdirSync(dirname(join(next, alias)), { recursive: true });
    // A repository that has moved: both names lead to the same one.
    new BareRepository(join(next, `${alias}.git`)).git([
      'fetch',
      '--quiet',
      join(next, `${name}.git`),
      '+refs/*:refs/*',
    ]);
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(resolve(folder)), { recursive: true });
  renameSync(next, folder);
}

function makeRepository(
  folder: string,
  history: History,
  others: ReadonlyMap<string, BareRepository>,
): BareRepository {
  const repository = new BareRepository(join(folder, `${history.name}.git`));
  const author = { name: 'Upstream Author', email: 'author@example.com' };
  const at = (hour: number): Signature => ({
    ...author,
    date: new Date(Date.UTC(2026, 0, 5, 9 + hour)).toISOString(),
  });
  const pin = (files: FileSet): FileSet => pinCommits(files, others);

  if (history.forkOf !== undefined) {
    repository.git([
      'fetch',
      '--quiet',
      join(folder, `${history.forkOf}.git`),
      '+refs/heads/*:refs/heads/*',
      '+refs/tags/*:refs/tags/*',
    ]);
  } else {
    // The newest commit is the folder on disk; the earlier ones are what it was before each change.
    let files = readFileSet(join(demo, history.folder));
    const states = history.commits.toReversed().map((commit) => {
      const state = files;
      files = undo(files, commit);
      return state;
    });
    const main = repository.importCommits(
      states.toReversed().map((state, index) => ({
        files: pin(state),
        message: history.commits[index]?.subject ?? '',
        by: at(24 * index),
        ...(index === 0 ? {} : { parent: index - 1 }),
      })),
    );
    const refs: Record<string, string> = { 'refs/heads/main': main.at(-1) ?? '' };
    history.commits.forEach((commit, index) => {
      if (commit.tag !== undefined) refs[`refs/tags/${commit.tag}`] = main[index] ?? '';
    });
    repository.setRefs(refs);
    for (const { branch, from, commits } of history.branches ?? []) {
      let tip = repository.resolve(from);
      let state =
        states.toReversed()[history.commits.findIndex(({ tag }) => tag === from)] ?? new Map();
      commits.forEach((commit, index) => {
        state = redo(state, commit);
        tip =
          repository.importCommits([
            { files: pin(state), message: commit.subject, by: at(24 * 30 + index), parent: tip },
          ])[0] ?? '';
        if (commit.tag !== undefined) repository.setRefs({ [`refs/tags/${commit.tag}`]: tip });
      });
      repository.setRefs({ [`refs/heads/${branch}`]: tip });
    }
  }
  for (const { branch, from, patches } of branchesOf(history.name)) {
    repository.setRefs({ [`refs/heads/${branch}`]: applyPatches(repository, from, patches) });
  }
  for (const { number, from, base, patches } of pullRequests(history.name)) {
    const head = applyPatches(repository, from, patches);
    const merge = repository.merge(repository.resolve(base), head, {
      ...author,
      date: '2026-03-01T00:00:00.000Z',
    });
    repository.setRefs({
      [`refs/pull/${number}/head`]: head,
      ...(merge === undefined ? {} : { [`refs/pull/${number}/merge`]: merge }),
    });
  }
  return repository;
}

function applyPatches(repository: BareRepository, from: string, folder: string): string {
  const patches = readdirSync(join(demo, folder))
    .filter((name) => name.endsWith('.patch'))
    .sort();
  if (patches.length === 0) throw new Error(`${folder} holds no patch.`);
  return patches.reduce(
    (parent, name) => repository.applyPatch(parent, readFileSync(join(demo, folder, name), 'utf8')),
    repository.resolve(from),
  );
}

/** `<owner/repo name>` in upstream_sources.yaml becomes the commit of that name. */
function pinCommits(files: FileSet, others: ReadonlyMap<string, BareRepository>): FileSet {
  const file = files.get('upstream_sources.yaml');
  if (file === undefined) return files;
  const content = file.content.replace(/<(\S+) (\S+)>/g, (_, name: string, ref: string) => {
    const repository = others.get(name);
    if (repository === undefined)
      throw new Error(`upstream_sources.yaml names ${name}, which is not made yet.`);
    return repository.resolve(ref);
  });
  return new Map(files).set('upstream_sources.yaml', { ...file, content });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = process.argv[2];
  if (folder === undefined) {
    process.stderr.write('usage: node examples/make-repositories.ts DIR\n');
    process.exitCode = 2;
  } else {
    makeRepositories(folder);
    if (!existsSync(folder)) process.exitCode = 1;
  }
}
