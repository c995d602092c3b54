import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';
import type { Configuration } from '../../config/config.ts';
import { cachedBases, mountCaches } from '../../plan/cache-mounts.ts';
import { pinBases } from '../../plan/dockerfile.ts';
import type { Builder, ContainerBuild, Registry } from '../../steps/step.ts';
import { TailBuffer } from '../../steps/tail-buffer.ts';
import { briefPatience, createPersist, type Persist } from '../persist.ts';
import { networkVariables, run } from '../processes/command.ts';
import {
  inNamespaceOfPods,
  privilege as ownPrivilege,
  type Privilege,
  sandboxed,
} from '../processes/sandbox.ts';
import { filledBaseStore, openBaseStore, type UsableBases } from './base-store.ts';
import { explainBuildFailure, explainMetLimit } from './build-failure.ts';
import { type CompileCaches, createCompileCaches, type OpenCache } from './compile-caches.ts';
import { normalizeModes } from './normalize-modes.ts';
import { makeScratchStorage, type ScratchStorage } from './scratch-storage.ts';
import { seccompProfile } from './seccomp-profile.ts';
import { stripOverlayMarks } from './strip-overlay-marks.ts';
import { type BuildLimits, limitsOf, watchLimits } from './watch-limits.ts';

export type BuilderConfiguration = Pick<
  Configuration,
  'mirrors' | 'registries' | 'remotes' | 'authfile' | 'tools' | 'limits'
>;

export interface BuilderOptions {
  /** The state folder: storage lies in `<state>/storage/`. */
  readonly state: string;
  /** Default: `chroot` in a pod, whose container it relies on, else `oci`. They give the same bytes. */
  readonly isolation?: 'oci' | 'chroot';
  /** A folder of base images that holds all that is needed, and may be read-only; default: one in `state` that is filled as needed. */
  readonly bases?: string;
  /** Where seeds of compile caches are kept; without one, only images of one builder share what they compile. */
  readonly registry?: Registry;
  /** How trouble with registries of base images is waited out; default: briefly. */
  readonly persist?: Persist;
}

/** A builder of one unit of steps. */
export interface OpenBuilder extends Builder {
  /**
   * Frees what its builds shared. `keepCaches`: all succeeded, and what they compiled may become seeds. No build depends on whether it
   * does: what cannot be done is told to `log`.
   */
  close(options: {
    readonly keepCaches: boolean;
    readonly log: (text: string) => void;
  }): Promise<void>;
}

/** The {@link Builder} over buildah. Throws FailureError `tool-missing` where there is no buildah. */
export async function createBuilder(
  configuration: BuilderConfiguration,
  { state, isolation, bases: filled, persist, registry }: BuilderOptions,
): Promise<OpenBuilder> {
  const storage = join(state, 'storage');
  await mkdir(storage, { recursive: true, mode: 0o700 });
  const privilege = ownPrivilege();
  const patience = persist ?? createPersist(briefPatience);
  const bases =
    filled === undefined
      ? await openBaseStore(join(storage, 'bases'), configuration, privilege, patience)
      : filledBaseStore(filled, privilege);
  const machine: Machine = {
    ...{ storage, privilege, bases },
    isolation: isolation ?? (privilege === 'pod' ? 'chroot' : 'oci'),
    caches: createCompileCaches({ state, storage, privilege, bases, registry }),
    runtime: configuration.tools.runtime,
    limits: limitsOf(configuration, privilege),
  };
  return {
    tools: await builderVersion(),
    build: (build, log, signal) => buildImage(machine, build, log, signal),
    close: ({ keepCaches, log }) => machine.caches.close(keepCaches, log),
  };
}

/** All that builds share. */
interface Machine {
  readonly storage: string;
  readonly privilege: Privilege;
  readonly bases: UsableBases;
  readonly caches: CompileCaches;
  readonly isolation: 'oci' | 'chroot';
  readonly runtime: string;
  readonly limits: BuildLimits;
}

async function buildImage(
  machine: Machine,
  build: ContainerBuild,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { dockerfile, named, unknown } = pinBases(build.dockerfile, build.bases, build.args);
  if (unknown.length > 0) throw unknownBases(unknown);
  const used = Object.values(build.bases).filter(
    (reference) => dockerfile.includes(reference) || Object.values(named).includes(reference),
  );
  await using held = new AsyncDisposableStack();
  for (const reference of new Set(used))
    held.use(await machine.bases.pull(reference, build.platform, log, signal));
  normalizeModes(build.context);

  const cached = await openCaches(machine, build, dockerfile, log, signal);
  await using scratch = await makeScratchStorage(
    machine.storage,
    machine.privilege,
    machine.limits,
  );
  const folders = await makeFolders(scratch, cached.dockerfile, build.network, machine.isolation);
  const overlays = [];
  for (const { mount, layers } of cached.caches) {
    const at = join(folders.home, 'buildah-cache', mount.id);
    await mkdir(at, { recursive: true });
    overlays.push({ at, ...layers });
  }
  await mkdir(build.output, { recursive: true });
  using watch = await watchLimits({
    ...{ limits: machine.limits, groups: scratch.groups, privilege: machine.privilege },
    folders: [
      ...[scratch.folder, build.output],
      ...overlays.map(({ folder, upper }) => join(folder, upper)),
    ],
  });
  const command = buildahCommand(machine, scratch, folders, build, named);
  const { program, args, env } = sandboxed(machine.privilege, command, {
    ...{ network: build.network, root: folders.root, etc: folders.etc },
    readOnly: [
      ...[machine.bases.root, build.context, folders.empty, folders.dockerfile],
      ...(build.network ? ['/etc/ssl'] : []),
      ...(folders.seccomp === undefined ? [] : [folders.seccomp]),
      ...(isAbsolute(machine.runtime) ? [machine.runtime] : []),
    ],
    writable: [folders.work, build.output],
    overlays,
    join: scratch.groups.join,
  });
  const output = new TailBuffer(64 * 1024);
  const [limited = program, ...rest] = [...limitsAround(machine), program, ...args];
  const exit = await run(limited, rest, {
    cwd: scratch.folder,
    env: {
      ...(build.network ? networkOf(process.env) : {}),
      ...{ ...env, PATH: programs, HOME: folders.home, TMPDIR: folders.home },
    },
    ...{ signal: AbortSignal.any([signal, watch.signal]), maxOutput: 0, grace: 0 },
    onStart: watch.follow,
    onOutput: (text) => {
      output.push(Buffer.from(text));
      log(text);
    },
  }).catch((error: unknown) => {
    if (signal.aborted || !watch.signal.aborted) throw error;
    return undefined;
  });
  const met = await watch.met();
  if (met === undefined && exit?.exitCode === 0) {
    if (machine.privilege !== 'root') await stripOverlayMarks(build.output);
    return;
  }
  await rm(build.output, { recursive: true, force: true });
  const text = output.bytes().toString('utf8');
  if (met !== undefined) throw explainMetLimit(met, text);
  if (exit === undefined) throw new Error('a build was ended, and no limit was met');
  throw explainBuildFailure({ exitCode: exit.exitCode, output: text, network: build.network });
}

/** How to reach the network, for code that must not see what the proxy knows us by. */
function networkOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    networkVariables.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value.replace(/^([a-z]+:\/\/)?[^/]*@/i, '$1')]];
    }),
  );
}

/** The Dockerfile whose RUNs mount compile caches, and what they mount. */
async function openCaches(
  { caches }: Machine,
  { cache, platform }: ContainerBuild,
  dockerfile: string,
  log: (text: string) => void,
  signal: AbortSignal,
): Promise<{ readonly dockerfile: string; readonly caches: readonly OpenCache[] }> {
  if (cache === undefined) return { dockerfile, caches: [] };
  const opened: [string, readonly OpenCache[]][] = [];
  for (const base of cachedBases(dockerfile))
    opened.push([base, await caches.open(cache, base, platform, log, signal)]);
  const mounts = opened.map(([base, open]) => [base, open.map(({ mount }) => mount)] as const);
  return {
    dockerfile: mountCaches(dockerfile, Object.fromEntries(mounts)),
    caches: opened.flatMap(([, open]) => open),
  };
}

const programs = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The one argument list of all container builds (docs/decisions/, "Same bytes everywhere"). Every timestamp is
 * one constant; nothing of the machine, of the time or of the isolation reaches the image.
 */
function buildahCommand(
  machine: Machine,
  scratch: ScratchStorage,
  folders: Folders,
  build: ContainerBuild,
  named: Readonly<Record<string, string>>,
): string[] {
  const storage = [
    ...['--root', join(folders.work, 'root'), '--runroot', join(folders.work, 'run')],
    ...['--storage-driver', 'overlay', '--storage-opt', `overlay.imagestore=${machine.bases.root}`],
  ];
  return [
    ...hardLimits(machine),
    ...['buildah', ...storage, 'bud'],
    ...['--isolation', machine.isolation, '--runtime', machine.runtime],
    ...['--format', 'oci', '--timestamp', '0', '--identity-label=false'],
    ...['--pull=never', '--layers=false', '--platform', build.platform],
    // The network namespace is that of the sandbox: `--network none` would change the digest.
    ...['--network', 'host', '--no-hosts'],
    // buildah shows all control groups of the machine, writable: an empty folder covers them.
    ...['--volume', `${folders.empty}:/sys/fs/cgroup:ro`],
    ...(machine.privilege === 'root' ? ['--cgroup-parent', scratch.groupName] : []),
    ...['--cap-drop', 'CAP_SYS_CHROOT', '--ulimit', 'core=0:0'],
    ...(folders.seccomp === undefined ? [] : ['--security-opt', `seccomp=${folders.seccomp}`]),
    ...Object.entries(build.args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
    ...Object.entries(named).flatMap(([name, reference]) => [
      '--build-context',
      `${name}=docker-image://${reference}`,
    ]),
    ...['--file', folders.dockerfile, '--tag', `oci:${build.output}`, build.context],
  ];
}

/**
 * What each process may do by itself. Processes are counted for an ordinary user only, each id by itself: the kernel does not count
 * root's, and would count those of the machine's users where RUN takes an id of theirs. Where no control group holds them, we look at
 * them ourselves, and they yield to us: among thousands that fork without end we would never have our turn.
 */
function hardLimits({ limits, privilege }: Machine): string[] {
  const file = ['prlimit', `--fsize=${limits.disk}`];
  if (privilege === 'root') return file;
  const processes = inNamespaceOfPods() ? [] : [`--nproc=${2 * limits.processes}`];
  return ['nice', '-n', '19', ...file, ...processes];
}

/**
 * What holds the whole sandbox, whatever ids it takes: a namespace that is made under this limit counts for whoever makes it (user_namespaces(7),
 * RLIMIT_NPROC). In a pod these are our own processes, a few dozen; an ordinary user may have thousands. It is met after the limit that we look at.
 */
function limitsAround({ limits }: Machine): string[] {
  return inNamespaceOfPods() ? ['prlimit', `--nproc=${limits.processes + 64}`] : [];
}

interface Folders {
  /** Becomes the root of the sandbox. */
  readonly root: string;
  readonly etc: string;
  /** Storage of this build. */
  readonly work: string;
  readonly home: string;
  readonly empty: string;
  readonly dockerfile: string;
  readonly seccomp: string | undefined;
}

async function makeFolders(
  { folder }: ScratchStorage,
  dockerfile: string,
  network: boolean,
  isolation: Machine['isolation'],
): Promise<Folders> {
  const work = join(folder, 'work');
  // Under chroot isolation buildah itself makes namespaces when the profile counts already; there the kernel refuses
  // user namespaces to whoever lives in a chroot.
  const profile = isolation === 'oci' ? await seccompProfile() : undefined;
  const folders: Folders = {
    root: join(folder, 'sandbox'),
    etc: join(folder, 'etc'),
    work,
    home: join(work, 'home'),
    empty: join(folder, 'empty'),
    dockerfile: join(folder, 'Dockerfile'),
    seccomp: profile === undefined ? undefined : join(folder, 'seccomp.json'),
  };
  const { root, etc, home, empty } = folders;
  for (const path of [root, home, empty, join(etc, 'containers')])
    await mkdir(path, { recursive: true, mode: 0o755 });
  await writeFile(folders.dockerfile, dockerfile);
  if (folders.seccomp && profile) await writeFile(folders.seccomp, profile);
  // The machine's own settings for containers must not reach a build.
  const files: Record<string, string> = {
    // A process of buildah itself that is root of a namespace asks for the home of whoever it thinks made it.
    passwd: 'root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1000:builder:/root:/bin/sh\n',
    group: 'root:x:0:\n',
    'containers/policy.json': '{"default":[{"type":"insecureAcceptAnything"}]}\n',
    'containers/registries.conf': '',
    // The real paths are arguments; without some here, the library complains.
    'containers/storage.conf':
      '[storage]\ndriver = "overlay"\nrunroot = "/run/containers"\ngraphroot = "/var/tmp"\n',
  };
  if (network)
    for (const name of ['resolv.conf', 'hosts', 'nsswitch.conf'])
      files[name] = await readFile(join('/etc', name), 'utf8').catch(() => '');
  for (const [name, content] of Object.entries(files)) await writeFile(join(etc, name), content);
  return folders;
}

function unknownBases(images: readonly string[]): FailureError {
  return new FailureError({
    reason: 'base-image-not-found',
    detail: `The Dockerfile names ${images.map((image) => `"${image}"`).join(', ')}, and no digest is known for it.`,
    hint: 'Check the FROM, `COPY --from` and `RUN --mount=from=` of the Dockerfile: a name must be an image, or an earlier stage.',
    about: { images },
  });
}

/** Name and version of the builder: {@link Builder.tools}. */
export async function builderVersion(): Promise<string> {
  const program = await identityOf('buildah');
  if (known === undefined || known.program !== program) known = { program, version: askVersion() };
  return known.version;
}

/** Asking takes as long as a small step; a process asks again when the program is another one. */
let known: { readonly program: string; readonly version: Promise<string> } | undefined;

async function askVersion(): Promise<string> {
  const { stdout } = await run('buildah', ['--version'], { cwd: '/' });
  const [, version = 'unknown'] = /version (\S+)/.exec(stdout.toString()) ?? [];
  return `buildah ${version}`;
}

/** What changes with every installation of a program. */
async function identityOf(program: string): Promise<string> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    const found = await stat(join(folder, program)).catch(() => undefined);
    if (found !== undefined) return [folder, found.ino, found.mtimeMs, found.size].join(' ');
  }
  return 'none';
}
