import type { Components } from '../api/answers.ts';
import type { Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';

type Component = Pick<Components['components'][number], 'name' | 'aliases'>;

/**
 * Which component a ref on the command line is for: said before it (`tektoncd/pipeline=REF`), or told
 * by its repository: a component's own, an alias, or a fork that keeps the name (`me/pipeline`,
 * `vdemeester/tektoncd-pipeline`).
 */
export function componentOfRef(
  text: string,
  components: readonly Component[],
): Outcome<{ readonly component: string; readonly ref: string }> {
  const said = /^([\w.-]+\/[\w.-]+)=(.+)$/.exec(text);
  if (said?.[1] !== undefined && said[2] !== undefined) return ok({ component: said[1], ref: said[2] });

  const repository = repositoryOf(text);
  if (repository !== undefined) {
    const found = match(repository, components);
    if (found.length === 1 && found[0] !== undefined) return ok({ component: found[0].name, ref: text });
  }
  const names = components.map(({ name }) => name);
  return failed({
    reason: 'bad-ref',
    detail: `It is not clear which component ${text} is for.`,
    hint: `Say it: ${names[0] ?? 'COMPONENT'}=${text}. Components: ${names.join(', ')}.`,
  });
}

/** `owner/repo` of a ref in any spelling; the service reads refs in earnest. */
function repositoryOf(ref: string): { owner: string; repo: string } | undefined {
  const path = ref
    .replace(/^[a-z+]+:\/\/[^/]+\//i, '')
    .replace(/^[\w.-]+@[^:/]+:/, '')
    .replace(/[#@?].*$/, '');
  const [owner, repo] = path.split('/');
  if (owner === undefined || repo === undefined || owner === '' || repo === '') return undefined;
  return { owner: owner.toLowerCase(), repo: repo.toLowerCase().replace(/\.git$/, '') };
}

function match({ owner, repo }: { owner: string; repo: string }, components: readonly Component[]): Component[] {
  const tests: readonly ((component: Component) => boolean)[] = [
    ({ name }) => name.toLowerCase() === `${owner}/${repo}`,
    ({ aliases }) => aliases.some((alias) => alias.toLowerCase() === `${owner}/${repo}`),
    ({ name }) => name.toLowerCase().replace('/', '-') === repo,
    ({ name }) => lastSegment(name) === repo,
    ({ name }) => repo.endsWith(`-${lastSegment(name)}`),
  ];
  for (const test of tests) {
    const found = components.filter(test);
    if (found.length > 0) return found;
  }
  return [];
}

function lastSegment(name: string): string {
  return name.slice(name.indexOf('/') + 1).toLowerCase();
}
