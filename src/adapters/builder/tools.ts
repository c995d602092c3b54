import { readFile, statfs } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { FailureError } from '../../builds/failure.ts';
import type { Configuration } from '../../config/config.ts';
import { run } from '../processes/command.ts';
import { contained, privilege } from '../processes/sandbox.ts';

/** One thing that a machine needs for building. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** What is there: `2.39.5`, `78 GiB free`, or why not. */
  readonly found: string;
  /** What to do; empty where it is well. */
  readonly hint: string;
}

/** Looks whether this machine has all that building needs; the order is that of telling people. */
export async function inspectTools(
  configuration: Pick<Configuration, 'tools'>,
  state: string,
): Promise<Check[]> {
  const { runtime, kustomize } = configuration.tools;
  const programs = await Promise.all([
    version('git', ['--version'], [2, 38], 'Tributary merges with `git merge-tree --write-tree`.'),
    version('buildah', ['--version'], [1, 28]),
    version('skopeo', ['--version'], [1, 9]),
    version(runtime, ['--version'], [1, 1]),
    version('unshare', ['--version'], [2, 38]),
    version('setpriv', ['--version'], [2, 33]),
    version('flock', ['--version'], [2, 33]),
    version('ip', ['-Version'], [0, 0]),
    version(kustomize, ['version'], [5, 0], 'Only products with a kustomize payload need it.'),
  ]);
  const ids = privilege() === 'user' ? [await subordinateIds()] : [];
  return [...programs, ...ids, await namespaces(), await freeDisk(state)];
}

/** The program answers, with at least this version. */
async function version(
  program: string,
  args: readonly string[],
  least: readonly [number, number],
  why = '',
): Promise<Check> {
  try {
    const { stdout, stderr, exitCode } = await run(program, args, { cwd: '/', timeout: 10_000 });
    const [found = '', major, minor] =
      /(\d+)\.(\d+)[\w.+~-]*/.exec(stdout.toString() + stderr) ?? [];
    const enough =
      exitCode === 0 &&
      (Number(major ?? 0) > least[0] ||
        (Number(major ?? 0) === least[0] && Number(minor ?? 0) >= least[1]));
    const needed = `Install at least ${program} ${least.join('.')}. ${why}`.trim();
    return check(program, enough || least[0] === 0, found || 'there', needed);
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return check(program, false, 'missing', `${error.failures[0].hint} ${why}`.trim());
  }
}

/** Ordinary users build with ids of their own range. */
async function subordinateIds(): Promise<Check> {
  const { username, uid } = userInfo();
  const counts = await Promise.all(
    ['/etc/subuid', '/etc/subgid'].map(async (file) => {
      const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
      const own = lines
        .map((line) => line.split(':'))
        .filter(([who]) => who === username || who === `${uid}`);
      return Math.max(0, ...own.map(([, , count]) => Number(count)));
    }),
  );
  const least = Math.min(...counts);
  return check(
    'subordinate ids',
    least >= 65_536,
    `${least} in /etc/subuid and /etc/subgid`,
    `Give ${username} a range, as root: \`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${username}\`, and install uidmap.`,
  );
}

/** The namespaces of a build, and an overlay in them, really made. */
async function namespaces(): Promise<Check> {
  const script =
    'mount -t tmpfs none /tmp && cd /tmp && mkdir l u w m && mount -t overlay -o "$1" none m';
  const options = `lowerdir=l,upperdir=u,workdir=w${privilege() === 'root' ? '' : ',userxattr'}`;
  const command = contained(privilege(), ['sh', '-c', script, 'sh', options], { network: false });
  const name = 'sandbox';
  try {
    const { program, args, env } = command;
    const { exitCode, stderr } = await run(program, args, { cwd: '/', env, timeout: 20_000 });
    return check(
      name,
      exitCode === 0,
      exitCode === 0 ? 'namespaces and overlay' : (stderr.trim().split('\n').at(-1) ?? 'no'),
      'The kernel must allow user namespaces (`sysctl user.max_user_namespaces`) and overlay mounts in them (Linux 5.13 or newer); an ordinary user needs the package uidmap.',
    );
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return check(name, false, 'cannot be tried', error.failures[0].hint);
  }
}

/** Base images, layers and mirrors need space. */
async function freeDisk(state: string): Promise<Check> {
  const gibibytes = 2 ** 30;
  const { bavail, bsize } = await statfs(await nearestFolder(state));
  const free = (bavail * bsize) / gibibytes;
  return check(
    'disk',
    free >= 5,
    `${free.toFixed(1)} GiB free for ${state}`,
    'Make space, or name a folder on another disk as `state` in the configuration: builds need at least 5 GiB.',
  );
}

/** The folder, or the nearest one above that exists. */
async function nearestFolder(path: string): Promise<string> {
  const found = await statfs(path).then(
    () => true,
    () => false,
  );
  return found || path === '/' ? path : nearestFolder(path.replace(/\/[^/]*$/, '') || '/');
}

function check(name: string, ok: boolean, found: string, hint: string): Check {
  return { name, ok, found, hint: ok ? '' : hint };
}
