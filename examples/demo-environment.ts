import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { withFurtherProduct } from './demo/further-components.ts';
import { type DemoSize, makeRepositories } from './make-repositories.ts';

/** The outside world of the demo, on loopback: a git server that stands for GitHub, and a registry with base images. */
export interface DemoEnvironment {
  /** `127.0.0.1:PORT` of the registry. */
  readonly registry: string;
  /** `http://127.0.0.1:PORT/`, which stands for `https://github.com/`. */
  readonly git: string;
  /** Files for `--config` and `--product`. */
  readonly configuration: string;
  readonly product: string;
  /** What was started: name → process. They live on until they are ended. */
  readonly processes: Readonly<Record<string, ChildProcess>>;
  /** Ends them. */
  close(): Promise<void>;
}

interface Ports {
  readonly service: number;
  readonly git: number;
  readonly registry: number;
}

/** The ports that the docs name; another one is taken where a port is busy. */
export const usualPorts: Ports = { service: 8080, git: 8081, registry: 5000 };

/** Any free ports, for tests. */
export const anyPorts: Ports = { service: 0, git: 0, registry: 0 };

/**
 * Makes the demo's repositories and base images below `folder`, starts the git server and the registry, and writes the
 * configuration for a service. What the registry holds stays in `folder` and is found again.
 */
export async function startDemoEnvironment(
  folder: string,
  ports: Ports,
  size: DemoSize,
  say: (text: string) => void = () => {},
): Promise<DemoEnvironment> {
  const root = resolve(folder);
  mkdirSync(join(root, 'registry'), { recursive: true });
  const registry = `127.0.0.1:${await freePort(ports.registry)}`;
  const git = `http://127.0.0.1:${await freePort(ports.git)}/`;
  const listen = `127.0.0.1:${await freePort(ports.service)}`;
  const processes: Record<string, ChildProcess> = {};
  const close = async () => {
    await Promise.all(Object.values(processes).map(end));
  };
  try {
    say(`registry     ${registry}`);
    processes['registry'] = startRegistry(root, registry);
    say(`git server   ${git}  (stands for https://github.com/)`);
    makeRepositories(join(root, 'repositories'), size);
    processes['git'] = startProgram(root, 'git', process.execPath, [
      join(import.meta.dirname, 'git-server.ts'),
      join(root, 'repositories'),
      new URL(git).port,
    ]);
    await Promise.all([answers(`http://${registry}/v2/`), answers(git)]);
    say('base images  busybox and a Go toolchain (made once; the first time takes a minute)');
    execFileSync(join(import.meta.dirname, 'base-images.sh'), [registry], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } catch (error) {
    await close();
    throw error;
  }
  const configuration = join(root, 'configuration.yaml');
  writeFileSync(configuration, configurationOf(root, { listen, git, registry }));
  return {
    registry,
    git,
    configuration,
    product: productOf(root, size),
    processes,
    close,
  };
}

/** examples/demo/product.yaml; in real size with what that has more of. */
function productOf(root: string, size: DemoSize): string {
  const file = join(import.meta.dirname, 'demo/product.yaml');
  if (size === 'small') return file;
  const real = join(root, 'product.yaml');
  writeFileSync(real, withFurtherProduct(readFileSync(file, 'utf8')));
  return real;
}

/** examples/demo/configuration.yaml with the ports and folders of this run. */
function configurationOf(
  root: string,
  { listen, git, registry }: { listen: string; git: string; registry: string },
): string {
  const text = readFileSync(join(import.meta.dirname, 'demo/configuration.yaml'), 'utf8')
    .replaceAll('127.0.0.1:8080', listen)
    .replaceAll('http://127.0.0.1:8081/', git)
    .replaceAll('127.0.0.1:5000', registry);
  return `state: ${JSON.stringify(join(root, 'state'))}\n${text}`;
}

function startRegistry(root: string, address: string): ChildProcess {
  const file = join(root, 'registry.json');
  writeFileSync(
    file,
    JSON.stringify({
      version: '0.1',
      log: { level: 'warn', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(root, 'registry') }, delete: { enabled: true } },
      http: { addr: address },
    }),
  );
  return startProgram(root, 'registry', 'docker-registry', ['serve', file]);
}

/** Starts a program that outlives this one, with its output in `<root>/<name>.log`. */
export function startProgram(
  root: string,
  name: string,
  program: string,
  args: readonly string[],
): ChildProcess {
  const log = openSync(join(root, `${name}.log`), 'a');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log] });
  child.unref();
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = new Promise((done) => child.once('exit', done));
  child.ref();
  child.kill('SIGTERM');
  await exited;
}

/** Waits until a server answers at all, 20 seconds at most. */
export async function answers(url: string): Promise<void> {
  for (const started = Date.now(); ; ) {
    try {
      await fetch(url, { signal: AbortSignal.timeout(1000) });
      return;
    } catch (error) {
      if (Date.now() - started > 20_000)
        throw new Error(`nothing answers at ${url}`, { cause: error });
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

/** `wanted` where it is free, else any free port. */
function freePort(wanted: number): Promise<number> {
  return new Promise((done, failed) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' && wanted !== 0) freePort(0).then(done, failed);
      else failed(error);
    });
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => done(port));
    });
  });
}
