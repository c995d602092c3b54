import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { refNameProblem } from '../../src/request/ref-name.ts';

const names = [
  ...['main', 'a/b', 'feat#2', 'user@home', 'é', '50%', 'v1.0', '@a', 'a@', '{', 'x{y}', '+', '!'],
  ...['', '@', '-x', 'a..b', 'a@{b', 'a b', 'a\tb', 'a~', 'a^', 'a:b', 'a?', 'a*', 'a[', 'a\\b'],
  ...['/a', 'a/', 'a//b', 'a.', '.a', 'a/.b', 'a.lock', 'a.lock/b', 'a\u007f', 'a.lockx', 'a./b'],
];

test.for(names)('git agrees about the branch %j', (name) => {
  expect(refNameProblem(name) === undefined).toBe(gitTakes(name));
});

/** `--branch` also refuses what looks like an option. */
function gitTakes(name: string): boolean {
  try {
    const args = name.startsWith('-') ? ['--branch', name] : [`refs/heads/${name}`];
    execFileSync('git', ['check-ref-format', ...args], { stdio: 'ignore' });
    // As a full ref name "@" may stand; alone it means HEAD.
    return name !== '@';
  } catch {
    return false;
  }
}
