import { access, constants, mkdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../adapters/command.ts';
import { createRegistry } from '../adapters/registry.ts';
import type { Diagnosis } from '../api/answers.ts';
import { attempt, FailureError } from '../builds/failure.ts';
import { type LoadedConfiguration, loadConfiguration } from '../config/load-config.ts';
import { findProductFile, readProduct } from '../config/read-product.ts';
import type { CliIo, GlobalOptions } from './cli-io.ts';
import type { Examination } from './doctor.ts';
import { findRunningService } from './running-service.ts';

type Check = Diagnosis['checks'][number];

/** Looks at this machine for real. */
export function examine(globals: GlobalOptions, io: CliIo): Examination {
  return {
    configuration: () => loadConfiguration(globals.config, io.environment),
    machine: (configuration) =>
      Promise.all([nodeVersion(), ...tools(configuration).map((tool) => checkTool(tool)), ...rootless()]),
    registries: (configuration) =>
      Promise.all(
        Object.entries(configuration.remotes).map(([name, { push }]) => checkRegistry(name, push, configuration)),
      ),
    state: (configuration) => checkState(configuration),
    product: async (configuration) => {
      const file = findProductFile(globals.product, configuration);
      if (file === undefined) return [];
      const product = await readProduct(file);
      const components = Object.keys(product.components).length;
      const images = Object.keys(product.images).length;
      const detail = `${file}: ${product.product}, ${components} components, ${images} images`;
      return [{ name: 'product', ok: true, detail, hint: null }];
    },
  };
}

interface Tool {
  readonly program: string;
  readonly args: readonly string[];
  /** Lowest version that works; undefined: any. */
  readonly least?: readonly [number, number];
}

function tools(configuration: LoadedConfiguration | undefined): Tool[] {
  return [
    // merge-tree --write-tree came with git 2.38.
    { program: 'git', args: ['--version'], least: [2, 38] },
    { program: 'buildah', args: ['--version'], least: [1, 28] },
    { program: 'skopeo', args: ['--version'] },
    { program: configuration?.tools.runtime ?? 'runc', args: ['--version'] },
    { program: 'unshare', args: ['--version'] },
    { program: 'setpriv', args: ['--version'] },
  ];
}

async function checkTool({ program, args, least }: Tool): Promise<Check> {
  const outcome = await attempt(() => run(program, args, { cwd: '/', timeout: 10_000 }));
  if (!outcome.ok) {
    const [{ detail, hint }] = outcome.failures;
    return { name: program, ok: false, detail, hint };
  }
  const text = outcome.value.stdout.toString('utf8').trim().split('\n', 1)[0] ?? '';
  const version = /(\d+)\.(\d+)(?:\.\d+)*/.exec(text);
  if (outcome.value.exitCode !== 0 || version === null) {
    return { name: program, ok: false, detail: `It does not tell its version: ${outcome.value.stderr.trim() || text}.`, hint: `Install it anew: \`apt-get install --reinstall ${program}\`.` };
  }
  if (least !== undefined && isOlder(version, least)) {
    return { name: program, ok: false, detail: `${version[0]} is too old.`, hint: `Install ${program} ${least.join('.')} or newer.` };
  }
  return { name: program, ok: true, detail: version[0], hint: null };
}

function isOlder(version: RegExpExecArray, [major, minor]: readonly [number, number]): boolean {
  const found = [Number(version[1]), Number(version[2])] as const;
  return found[0] < major || (found[0] === major && found[1] < minor);
}

async function nodeVersion(): Promise<Check> {
  const major = Number(process.versions.node.split('.', 1)[0]);
  const hint = major >= 24 ? null : 'Install Node 24: `npm install` in the checkout brings it (`npx tributary` uses it).';
  return { name: 'node', ok: hint === null, detail: process.versions.node, hint };
}

/** What an ordinary user needs for containers of their own; nothing for root. */
function rootless(): Promise<Check>[] {
  if (process.getuid?.() === 0) return [];
  const ranges = async (file: string): Promise<Check> => {
    const text = await readFile(file, 'utf8').catch(() => '');
    const name = process.env['USER'] ?? '';
    const ok = text.split('\n').some((row) => row.startsWith(`${name}:`) || row.startsWith(`${process.getuid?.()}:`));
    const hint = ok ? null : `As root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}`;
    return { name: file, ok, detail: ok ? 'has a range for this user' : 'has no range for this user', hint };
  };
  return [
    ...['newuidmap', 'newgidmap'].map(async (program): Promise<Check> => {
      const outcome = await attempt(() => run(program, [], { cwd: '/', timeout: 5000 }));
      if (outcome.ok) return { name: program, ok: true, detail: 'is there', hint: null };
      return { name: program, ok: false, detail: outcome.failures[0].detail, hint: outcome.failures[0].hint };
    }),
    ranges('/etc/subuid'),
    ranges('/etc/subgid'),
  ];
}

async function checkRegistry(name: string, push: string, configuration: LoadedConfiguration): Promise<Check> {
  const folder = join(configuration.state, 'tmp');
  await mkdir(folder, { recursive: true });
  const registry = await createRegistry(configuration, { folder, retryDelay: 50 });
  const outcome = await attempt(() => registry.manifest(`${push}/tributary:doctor`));
  const title = `remote ${name}`;
  if (outcome.ok) return { name: title, ok: true, detail: `${push} answers`, hint: null };
  const [{ detail, hint }] = outcome.failures;
  return { name: title, ok: false, detail, hint };
}

/** A build of a product with Go components needs a few GiB of layers and sources. */
const leastFree = 5 * 2 ** 30;

async function checkState(configuration: LoadedConfiguration): Promise<Check[]> {
  const { state } = configuration;
  try {
    await mkdir(state, { recursive: true });
    await access(state, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new FailureError({
      reason: 'bad-configuration',
      detail: `The state folder ${state} cannot be written: ${(error as Error).message}.`,
      hint: 'Name another in the configuration: `state`, or let this user own it.',
    });
  }
  const running = await findRunningService(join(state, 'service.json'));
  const disk = await statfs(state);
  const free = disk.bavail * disk.bsize;
  const text = `${(free / 2 ** 30).toFixed(1)} GiB free`;
  return [
    { name: 'state', ok: true, detail: running === undefined ? state : `${state}, service at ${running}`, hint: null },
    free >= leastFree
      ? { name: 'disk', ok: true, detail: text, hint: null }
      : { name: 'disk', ok: false, detail: text, hint: `Make room: ${leastFree / 2 ** 30} GiB below ${state} is the least.` },
  ];
}
