import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Failure, FailureError } from '../builds/failure.ts';
import { type FileTree, withFiles } from '../plan/file-tree.ts';
import type { Plan } from '../plan/plan.ts';
import { readBlob, readLayout, uncompressed } from './oci-layout.ts';
import type { StepContext } from './step.ts';
import { generousLimits, type TarLimits, unpackTree } from './tar-tree.ts';
import { writeTree } from './write-tree.ts';

/** A command of a component: code of the ref. */
export interface ForeignCommand {
  /** For failures: `tektoncd/operator`. */
  readonly component: string;
  readonly source: FileTree;
  /** Further files, which it finds in the folder `../beside`. */
  readonly beside?: FileTree;
  /** Base image, as in a FROM line; the plan pins it. */
  readonly image: string;
  readonly run: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What is kept: what it prints, or a folder that it leaves (`.`: all of its source). */
  readonly keep: 'stdout' | { readonly folder: string };
}

/** What running a command needs of a step. */
export interface BuilderContext
  extends Pick<StepContext, 'builder' | 'workdir' | 'log' | 'signal'> {
  readonly plan: Pick<Plan, 'bases'> & { readonly lock: Pick<Plan['lock'], 'platforms'> };
}

/** The file that holds what a command printed. */
export const stdoutFile = 'stdout';

/**
 * Runs a command of a component in its source folder, as a container build in the sandbox of PR code, and
 * returns what is kept: the folder's files, or one file {@link stdoutFile}.
 */
export async function runInBuilder(
  command: ForeignCommand,
  context: BuilderContext,
): Promise<FileTree> {
  const folder = await mkdtemp(join(context.workdir, 'command-'));
  try {
    const output = join(folder, 'output');
    await writeTree(command.source, join(folder, 'context', 'source'));
    if (command.beside) await writeTree(command.beside, join(folder, 'context', 'beside'));
    await build(command, join(folder, 'context'), output, context);
    return await readImage(command, output);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function build(
  command: ForeignCommand,
  from: string,
  output: string,
  context: BuilderContext,
) {
  const { plan, builder, log, signal } = context;
  const base = plan.bases[command.image];
  if (base === undefined) throw new Error(`the plan does not pin ${command.image}`);
  const platform = plan.lock.platforms[0];
  if (platform === undefined) throw new Error('the lock names no platform');
  const bases = { [command.image]: base };
  const dockerfile = renderDockerfile(command);
  try {
    await builder.build(
      { context: from, dockerfile, bases, args: {}, platform, network: false, output },
      log,
      signal,
    );
  } catch (error) {
    throw asCommandFailure(command, error);
  }
}

/**
 * The Dockerfile that runs the command. Its words reach it as arguments of one fixed script, so that none of
 * them is read as Dockerfile or shell.
 */
function renderDockerfile({ image, run, env, keep, beside }: ForeignCommand): string {
  const words = [...Object.entries(env).map(([name, value]) => `${name}=${value}`), ...run];
  const place = keep === 'stdout' ? output : `${source}/${keep.folder}`;
  const script =
    keep === 'stdout'
      ? `mkdir ${output} && exec env "$@" > ${output}/${stdoutFile}`
      : 'exec env "$@" >&2';
  return [
    `FROM ${image} AS command`,
    'USER 0',
    `COPY ["source/", "${source}/"]`,
    ...(beside ? [`COPY ["beside/", "${source}/../beside/"]`] : []),
    `WORKDIR ${source}`,
    `RUN ${JSON.stringify(['/bin/sh', '-c', script, 'sh', ...words])}`,
    'FROM scratch',
    `COPY --from=command ${JSON.stringify([`${place}/`, '/'])}`,
    '',
  ].join('\n');
}

const source = '/tributary/source';
const output = '/tributary/output';

function asCommandFailure({ component, run }: ForeignCommand, error: unknown): unknown {
  if (!(error instanceof FailureError)) return error;
  const [failure, ...rest] = error.failures;
  const about = { ...failure.about, component, command: run.join(' ') };
  if (failure.reason === 'limit-exceeded') {
    const { limit, allowed } = failure.about ?? {};
    const detail = `\`${run.join(' ')}\` of ${component} used more than a build may: ${limit} is ${allowed}.`;
    return new FailureError({ ...failure, detail, about }, ...rest);
  }
  if (failure.reason !== 'image-build-failed') return error;
  const told: Failure = {
    reason: 'command-failed',
    detail: `\`${run.join(' ')}\` of ${component} failed: ${failure.detail}`,
    hint: 'It runs without network, in a copy of the source without `.git`; the log of this step has its output. Mend it in the ref.',
    about,
  };
  return new FailureError(told, ...rest);
}

/** Manifests are small: what is larger is a mistake, or an attack. A whole source is what it was before. */
function limitsFor({ keep }: ForeignCommand): TarLimits {
  const isSource = keep !== 'stdout' && keep.folder === '.';
  return isSource ? generousLimits : { bytes: 256 * 1024 * 1024, entries: 20_000 };
}

async function readImage(command: ForeignCommand, layout: string): Promise<FileTree> {
  const { manifest } = await readLayout(layout);
  const limits = limitsFor(command);
  let files: FileTree = new Map();
  for (const layer of manifest.layers) {
    const unpacked = await unpackTree(await readLayer(command, layout, layer), limits);
    if (!unpacked.ok) throw tooStrange(command, unpacked.failures.join(', '));
    files = withFiles(files, unpacked.value);
  }
  return files;
}

type LayerDescriptor = Awaited<ReturnType<typeof readLayout>>['manifest']['layers'][number];

async function readLayer(command: ForeignCommand, layout: string, layer: LayerDescriptor) {
  const { bytes } = limitsFor(command);
  try {
    return uncompressed(await readBlob(layout, layer, bytes), bytes);
  } catch (error) {
    if (error instanceof RangeError) throw tooStrange(command, 'it is too large');
    throw error;
  }
}

function tooStrange(command: ForeignCommand, why: string): FailureError {
  const { component, run } = command;
  return new FailureError({
    reason: 'command-failed',
    detail: `What \`${run.join(' ')}\` of ${component} made is not used: ${why}.`,
    hint: `It may leave plain files and links, at most ${limitsFor(command).bytes / 2 ** 20} MiB. Mend it in the ref.`,
    about: { component, command: run.join(' ') },
  });
}
