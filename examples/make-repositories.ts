import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  furtherComponents,
  furtherFiles,
  withFurtherDistgit,
  withFurtherList,
} from './demo/further-components.ts';
import { withGeneratedApis } from './demo/generated-apis.ts';
import { type History, histories, mirrored } from './demo/history.ts';
import { patchedBranches, pullRequests } from './demo/pull-requests.ts';
import { BareRepository, type Signature } from './repositories/bare-repository.ts';
import { type FileSet, readFileSet, redo, undo } from './repositories/file-set.ts';

const demo = join(import.meta.dirname, 'demo');
const author = { name: 'Upstream Author', email: 'author@example.com' };

/** `real`: with as much generated code and nearly as many components as the real ones have. `small`: without, for tests that compile what they need. */
export type DemoSize = 'small' | 'real';

/**
 * Makes the demo's git repositories, bare, as `<folder>/<owner>/<repo>.git`: histories, branches, tags, forks and pull requests as
 * `demo/history.ts` and `demo/pull-requests.ts` tell them. Every commit has the same SHA on every machine. A folder that is there is
 * made anew. `rewrite` may change every text in them, names of files and patches included.
 */
export function makeRepositories(
  folder: string,
  size: DemoSize = 'small',
  rewrite: Rewrite = (text) => text,
): void {
  const next = `${resolve(folder)}.next-${process.pid}`;
  rmSync(next, { recursive: true, force: true });
  const made = new Map<string, BareRepository>();
  if (size === 'real') addFurther(next, made);
  for (const history of histories) {
    const repository = new BareRepository(join(next, `${history.name}.git`));
    if (history.forkOf === undefined)
      tell(repository, history, made, (name, files) =>
        rewritten(size === 'real' ? asReal(name, files) : files, rewrite),
      );
    else fetchAll(repository, join(next, `${history.forkOf}.git`), ['heads', 'tags']);
    addBranches(repository, history.name, rewrite);
    addPullRequests(repository, history.name, rewrite);
    made.set(history.name, repository);
  }
  for (const [alias, name] of Object.entries(mirrored)) {
    const repository = new BareRepository(join(next, `${alias}.git`));
    fetchAll(repository, join(next, `${name}.git`), ['heads', 'tags', 'pull']);
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(resolve(folder)), { recursive: true });
  renameSync(next, folder);
}

/** The components that the small demo does not have; no more than a commit each. */
function addFurther(folder: string, made: Map<string, BareRepository>): void {
  const server = readFileSync(join(demo, 'upstream/triggers/pkg/server/server.go'), 'utf8');
  for (const component of furtherComponents) {
    const repository = new BareRepository(join(folder, `${component.name}.git`));
    const files = withGeneratedApis(furtherFiles(component, server), 'some');
    const message = `Start ${component.name}`;
    const [commit = ''] = repository.importCommits([{ files, message, by: onDay(0) }]);
    repository.setRefs({ 'refs/heads/main': commit, [`refs/tags/${component.tag}`]: commit });
    made.set(component.name, repository);
  }
}

type Rewrite = (text: string) => string;

function rewritten(files: FileSet, rewrite: Rewrite): FileSet {
  return new Map(
    [...files].map(([path, file]) => [rewrite(path), { ...file, content: rewrite(file.content) }]),
  );
}

/** The files of a repository in real size. */
function asReal(name: string, files: FileSet): FileSet {
  if (name === 'openshift-pipelines/productization') return withFurtherDistgit(files);
  const all = name === 'tektoncd/operator' ? withFurtherList(files) : files;
  return withGeneratedApis(all, 'many');
}

/** Writes main, with its tags, and the release branches. */
function tell(
  repository: BareRepository,
  history: Extract<History, { folder: string }>,
  others: ReadonlyMap<string, BareRepository>,
  finish: (name: string, files: FileSet) => FileSet,
): void {
  const states = statesOf(history);
  const committed = (files: FileSet) => pinCommits(finish(history.name, files), others);
  const main = repository.importCommits(
    history.commits.map(({ subject }, index) => ({
      files: committed(states[index] ?? new Map()),
      message: subject,
      by: onDay(index),
      ...(index === 0 ? {} : { parent: index - 1 }),
    })),
  );
  const refs = new Map([['refs/heads/main', main.at(-1) ?? '']]);
  history.commits.forEach(({ tag }, index) => {
    if (tag !== undefined) refs.set(`refs/tags/${tag}`, main[index] ?? '');
  });

  for (const { branch, from, commit } of history.branches ?? []) {
    const files = redo(
      states[history.commits.findIndex(({ tag }) => tag === from)] ?? new Map(),
      commit,
    );
    const parent = refs.get(`refs/tags/${from}`) ?? '';
    const [tip = ''] = repository.importCommits([
      { files: committed(files), message: commit.subject, by: onDay(30), parent },
    ]);
    refs.set(`refs/heads/${branch}`, tip);
    if (commit.tag !== undefined) refs.set(`refs/tags/${commit.tag}`, tip);
  }
  repository.setRefs(Object.fromEntries(refs));
}

/** The files of every commit, oldest first. The newest are on disk; the earlier ones are what they were before each change. */
function statesOf(history: Extract<History, { folder: string }>): FileSet[] {
  let files = readFileSet(join(demo, history.folder));
  const states = history.commits.toReversed().map((commit) => {
    const state = files;
    files = undo(files, commit);
    return state;
  });
  return states.toReversed();
}

function addBranches(repository: BareRepository, name: string, rewrite: Rewrite): void {
  for (const { branch, from, patches } of patchedBranches.filter(
    (one) => one.repository === name,
  )) {
    repository.setRefs({
      [`refs/heads/${branch}`]: applyPatches(repository, from, patches, rewrite),
    });
  }
}

/** As on GitHub: `head` always, `merge` where it merges. */
function addPullRequests(repository: BareRepository, name: string, rewrite: Rewrite): void {
  for (const { number, from, base, patches } of pullRequests.filter(
    (one) => one.repository === name,
  )) {
    const head = applyPatches(repository, from, patches, rewrite);
    const merge = repository.merge(repository.resolve(base), head, onDay(60));
    repository.setRefs({
      [`refs/pull/${number}/head`]: head,
      ...(merge === undefined ? {} : { [`refs/pull/${number}/merge`]: merge }),
    });
  }
}

function applyPatches(
  repository: BareRepository,
  from: string,
  folder: string,
  rewrite: Rewrite,
): string {
  const patches = readdirSync(join(demo, folder))
    .filter((name) => name.endsWith('.patch'))
    .sort();
  if (patches.length === 0) throw new Error(`${folder} holds no patch.`);
  return patches.reduce(
    (parent, name) =>
      repository.applyPatch(parent, rewrite(readFileSync(join(demo, folder, name), 'utf8'))),
    repository.resolve(from),
  );
}

/** `<owner/repo name>` in upstream_sources.yaml becomes the commit of that name. */
function pinCommits(files: FileSet, others: ReadonlyMap<string, BareRepository>): FileSet {
  const file = files.get('upstream_sources.yaml');
  if (file === undefined) return files;
  const content = file.content.replace(/<(\S+) (\S+)>/g, (_, name: string, ref: string) => {
    const repository = others.get(name);
    if (repository === undefined) throw new Error(`${name} is pinned, but not made yet.`);
    return repository.resolve(ref);
  });
  return new Map(files).set('upstream_sources.yaml', { ...file, content });
}

function fetchAll(repository: BareRepository, from: string, kinds: readonly string[]): void {
  repository.git([
    'fetch',
    '--quiet',
    from,
    ...kinds.map((kind) => `+refs/${kind}/*:refs/${kind}/*`),
  ]);
}

function onDay(day: number): Signature {
  return { ...author, date: new Date(Date.UTC(2026, 0, 5 + day, 9)).toISOString() };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder, size = 'real'] = process.argv.slice(2);
  if (folder === undefined || (size !== 'real' && size !== 'small')) {
    process.stderr.write('usage: node examples/make-repositories.ts DIR [real|small]\n');
    process.exitCode = 2;
  } else {
    makeRepositories(folder, size);
  }
}
