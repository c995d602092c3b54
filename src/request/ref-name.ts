import { invisible } from './quote.ts';

/**
 * Why git would not take `name` as the name of a branch or tag, or undefined where it would: the
 * rules of git-check-ref-format(1), and no leading `-` (as its `--branch`), which a command might
 * take for an option. Nor do we take what nobody could read.
 */
export function refNameProblem(name: string): string | undefined {
  return rules.find(([broken]) => broken(name))?.[1];
}

type Rule = readonly [broken: (name: string) => boolean, problem: string];

const rules: readonly Rule[] = [
  [(name) => name === '', 'the name of the branch, tag or commit is missing'],
  [(name) => name.startsWith('-'), 'a name must not begin with "-"'],
  [(name) => name.includes('..'), 'a name must not contain ".."'],
  [(name) => name.includes('@{'), 'a name must not contain "@{"'],
  [(name) => name === '@', 'a name must not be "@" alone'],
  [(name) => /[\p{Cc} ]/u.test(name), 'a name must not contain spaces or control characters'],
  [(name) => name.search(invisible) >= 0, 'a name must not contain invisible characters'],
  [(name) => name.length > 500, 'a name must not be longer than 500 characters'],
  [(name) => /[~^:?*[\\]/.test(name), 'a name must not contain any of ~ ^ : ? * [ \\'],
  [(name) => /^\/|\/$|\/\//.test(name), 'a name must not begin or end with "/" or contain "//"'],
  [(name) => name.endsWith('.'), 'a name must not end with "."'],
  [(name) => /(^|\/)\./.test(name), 'no part of a name may begin with "."'],
  [(name) => /\.lock(\/|$)/.test(name), 'no part of a name may end with ".lock"'],
];
