import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FileSet } from './file-set.ts';

/** Who made a commit, and when: `2026-01-05T09:00:00Z`. */
export interface Signature {
  readonly name: string;
  readonly email: string;
  readonly date: string;
}

/** A bare repository that is being written. The same calls give the same commits on every machine. */
export class BareRepository {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    this.git(['init', '--quiet', '--bare', '--template=', '--initial-branch=main', '.']);
    // As GitHub does: partial clones, and any commit by its SHA.
    for (const option of ['uploadpack.allowFilter', 'uploadpack.allowAnySHA1InWant']) {
      this.git(['config', option, 'true']);
    }
  }

  /** Writes commits of whole file sets, each on its parent (a SHA, or an earlier one of this list by index). */
  importCommits(
    commits: readonly {
      files: FileSet;
      message: string;
      by: Signature;
      parent?: string | number;
    }[],
  ): string[] {
    const stream = commits.map(({ files, message, by, parent }, index) => {
      const from =
        typeof parent === 'number'
          ? `from :${parent + 1}\n`
          : parent === undefined
            ? ''
            : `from ${parent}\n`;
      const content = [...files].map(
        ([path, file]) =>
          `M ${file.executable ? '100755' : '100644'} inline ${path}\n${data(file.content)}`,
      );
      const who = `${by.name} <${by.email}> ${Date.parse(by.date) / 1000} +0000`;
      return `commit refs/import/${index}\nmark :${index + 1}\nauthor ${who}\ncommitter ${who}\n${data(`${message}\n`)}${from}deleteall\n${content.join('')}get-mark :${index + 1}\n`;
    });
    const refs = commits.map(
      (_, index) => `reset refs/import/${index}\nfrom 0000000000000000000000000000000000000000\n\n`,
    );
    const output = this.git(['fast-import', '--quiet', '--cat-blob-fd=1'], {
      input: stream.join('') + refs.join(''),
    });
    return output.split('\n');
  }

  /** The commit that a patch (as `git format-patch` writes it) makes of another. */
  applyPatch(parent: string, patch: string): string {
    const header = (name: string): string =>
      new RegExp(`^${name}: (.*(?:\\n .*)*)`, 'm').exec(patch)?.[1]?.replaceAll('\n', '') ?? '';
    const [, name = '', email = ''] = /^(.*) <(.*)>$/.exec(header('From')) ?? [];
    const subject = header('Subject').replace(/^\[PATCH[^\]]*\] /, '');
    const body = /\n\n([\s\S]*?)^(?:---$|diff --git )/m.exec(patch)?.[1]?.trim() ?? '';

    const index = join(this.folder, 'index');
    const environment = { GIT_INDEX_FILE: index };
    this.git(['read-tree', parent], { environment });
    this.git(['apply', '--cached', '--whitespace=nowarn', '-'], { environment, input: patch });
    const tree = this.git(['write-tree'], { environment });
    rmSync(index);
    return this.commitTree(tree, [parent], body === '' ? subject : `${subject}\n\n${body}`, {
      name,
      email,
      date: new Date(header('Date')).toISOString(),
    });
  }

  /** The merge commit of a head into a base, or undefined where they conflict. */
  merge(base: string, head: string, by: Signature): string | undefined {
    const result = spawnSync('git', ['merge-tree', '--write-tree', base, head], {
      cwd: this.folder,
      encoding: 'utf8',
      env: bareEnvironment(),
    });
    if (result.status === 1) return undefined;
    if (result.status !== 0) throw new Error(`git merge-tree: ${result.stderr}`);
    return this.commitTree(result.stdout.trim(), [base, head], `Merge ${head} into ${base}`, by);
  }

  setRefs(refs: Readonly<Record<string, string>>): void {
    const input = Object.entries(refs).map(([ref, commit]) => `update ${ref} ${commit}\n`);
    this.git(['update-ref', '--stdin'], { input: input.join('') });
  }

  /** The full SHA that a name stands for: `main`, `main~1`, `refs/pull/7/head`. */
  resolve(name: string): string {
    return this.git(['rev-parse', '--verify', '--quiet', `${name}^{commit}`]);
  }

  private commitTree(
    tree: string,
    parents: readonly string[],
    message: string,
    by: Signature,
  ): string {
    const environment = {
      GIT_AUTHOR_NAME: by.name,
      GIT_AUTHOR_EMAIL: by.email,
      GIT_AUTHOR_DATE: by.date,
      GIT_COMMITTER_NAME: by.name,
      GIT_COMMITTER_EMAIL: by.email,
      GIT_COMMITTER_DATE: by.date,
    };
    return this.git(
      ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent]), '-m', message],
      { environment },
    );
  }

  git(
    args: readonly string[],
    options: { input?: string; environment?: Readonly<Record<string, string>> } = {},
  ): string {
    return execFileSync('git', args, {
      cwd: this.folder,
      encoding: 'utf8',
      env: { ...bareEnvironment(), ...options.environment },
      stdio: ['pipe', 'pipe', 'inherit'],
      ...(options.input === undefined ? {} : { input: options.input }),
    }).trim();
  }
}

/** What git may know of this machine: nothing that could change a commit. */
function bareEnvironment(): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CEILING_DIRECTORIES: '/',
    LC_ALL: 'C',
    TZ: 'UTC',
  };
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}
