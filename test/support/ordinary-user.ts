import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ourselves, type Person } from './service.ts';

/**
 * Someone who is not root, with ids of their own in /etc/subuid: whoever runs the tests, or, where that is root, a user
 * made for a test and removed with `await using`. What that user cannot read, such as a checkout below /root, they are
 * shown in a mount namespace of their own.
 */
export async function ordinaryUser(): Promise<Person & AsyncDisposable> {
  if (process.getuid?.() !== 0) return { ...ourselves, [Symbol.asyncDispose]: async () => {} };
  const name = `tributary-${randomBytes(3).toString('hex')}`;
  await patiently('useradd', ['--create-home', name]);
  const folder = mkdtempSync(join(tmpdir(), 'tributary-user-'));
  chmodSync(folder, 0o755);
  const checkout = join(folder, 'checkout');
  const node = join(folder, 'node');
  mkdirSync(checkout);
  writeFileSync(node, '');
  const become = ['setpriv', '--reuid', name, '--regid', name, '--init-groups'];
  return {
    checkout,
    home: execFileSync('sh', ['-c', `echo ~${name}`])
      .toString()
      .trim(),
    command: (args) => [
      ...['unshare', '--mount', 'sh', '-euc', showing, 'sh'],
      ...[ourselves.checkout, checkout, process.execPath, node],
      ...[...become, node, ...args],
    ],
    own: (path) => execFileSync('chown', ['-R', `${name}:`, path]),
    [Symbol.asyncDispose]: async () => {
      await patiently('userdel', ['--remove', name]);
      rmSync(folder, { recursive: true });
    },
  };
}

const showing = 'mount --bind "$1" "$2"; mount --bind "$3" "$4"; shift 4; exec "$@"';

/** Another test may change /etc/passwd at the same time. */
async function patiently(program: string, args: readonly string[]): Promise<void> {
  for (let tries = 20; ; tries -= 1) {
    try {
      execFileSync(program, args, { stdio: 'pipe' });
      return;
    } catch (error) {
      if (tries === 0 || !/cannot lock/.test(String(error))) throw error;
      await sleep(100);
    }
  }
}
