import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { createBuilder } from '../../../src/adapters/builder/buildah.ts';
import { createGit } from '../../../src/adapters/git/git-command.ts';
import { createMirrors } from '../../../src/adapters/git/git-mirrors.ts';
import { openShelf } from '../../../src/adapters/storage/shelf.ts';
import { attempt, type Failure } from '../../../src/builds/failure.ts';
import { Configuration } from '../../../src/config/config.ts';
import { type FileTree, textFile } from '../../../src/plan/file-tree.ts';
import type { ComponentName } from '../../../src/plan/names.ts';
import { readBlob, readLayout, uncompressed } from '../../../src/steps/oci-layout.ts';
import { renderCommand } from '../../../src/steps/payload/render-command.ts';
import { applyPatches } from '../../../src/steps/prepare/apply-patches.ts';
import type { Builder, StepContext } from '../../../src/steps/step.ts';
import { writeTree } from '../../../src/steps/write-tree.ts';
import { createRepository } from '../git-repository.ts';
import { tree } from '../small-product.ts';

/** A world in which code of a ref runs: state folder, base image, limits. */
export interface HostileWorld {
  readonly folder: string;
  readonly state: string;
  /** Reference by digest of an image with perl and busybox. */
  readonly base: string;
  readonly registry: string;
}

/** What came of code that ran. */
export interface Aftermath {
  readonly failure: Failure | undefined;
  /** Bytes of what it printed. */
  readonly printed: number;
  /** The first MiB of that. */
  readonly log: string;
  /** What is kept of it, with other bytes around: the layer, the payload, the files and links of the source. */
  readonly kept: string;
}

export type Limits = NonNullable<Configuration['limits']['sandbox']>;

/** A place where code of a ref runs. `code` is a shell script beside files of the source. */
export interface Place {
  readonly place: string;
  readonly attack: (world: HostileWorld, attack: Attack) => Promise<Aftermath>;
}

export interface Attack {
  readonly code: string;
  readonly files?: FileTree;
  readonly limits?: Partial<Limits>;
  /** Called with each piece of output. */
  readonly log?: (text: string) => void;
  /** Default: one of its own. */
  readonly builder?: Builder;
}

/** Where what is kept lies in each place. */
export const keptFolders = ['/src', '/tributary/output', '/tributary/source'] as const;

const image = 'registry.example.com/base/hostile:1';
const component = 'tektoncd/pipeline' as ComponentName;
/** Of this machine. */
export const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';

/** All places where code of a ref runs. */
export const places: readonly [Place, Place, Place] = [
  {
    place: 'RUN of a Dockerfile',
    attack: (world, attack) =>
      aftermath(world, attack, async ({ builder, workdir, log, signal }) => {
        const context = join(workdir, 'context');
        await writeTree(sourceOf(attack), context);
        const dockerfile =
          'FROM base AS build\nWORKDIR /src\nCOPY . .\nRUN sh attack.sh\nFROM base\nCOPY --from=build /src/ /kept/\n';
        const output = join(workdir, 'output');
        await builder.build(
          {
            context,
            dockerfile,
            bases: { base: world.base },
            args: {},
            platform,
            network: false,
            output,
          },
          log,
          signal,
        );
        return lastLayer(output);
      }),
  },
  {
    place: 'a command that renders a payload',
    attack: (world, attack) =>
      aftermath(world, attack, async (context) => {
        const rule = { render: 'command' as const, run: ['sh', 'attack.sh'], image, env: {} };
        const more = { markers: [], into: 'x.yaml', keep: [] };
        return renderCommand(
          component,
          sourceOf(attack),
          { ...rule, ...more },
          '1',
          context as unknown as StepContext,
        );
      }),
  },
  {
    place: 'a patch that is a script',
    attack: (world, attack) =>
      aftermath(world, attack, async (context) => {
        const upstream = join(context.workdir, 'upstream');
        await writeTree(sourceOf(attack), upstream);
        const repository = await createRepository(upstream);
        const commit = await repository.commit('start', {});
        const git = createGit({ urls: {}, credentials: {}, protocols: ['file'] });
        const mirrors = createMirrors(
          git,
          openShelf(join(context.workdir, 'm')),
          join(context.workdir, 'w'),
        );
        const mirror = await mirrors.mirror(repository.url);
        await mirror.fetch(repository.url, [commit]);
        const product = new Map([['patches/0001-attack.sh', textFile('exec sh attack.sh')]]);
        const rule = { dir: 'patches', 'applied-by': 'tributary', image } as const;
        const source = { tree: await mirror.treeOf(commit), ref: 'main' };
        const { failures, tree: made } = await applyPatches(
          component,
          rule,
          undefined,
          product,
          source,
          mirror,
          context,
        );
        if (failures[0] !== undefined) throw new PatchFailed(failures[0]);
        const { files } = await mirror.files(made);
        return [...files].map(([path, { content }]) => `${path}: ${content}`).join('\n');
      }),
  },
];

class PatchFailed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.detail);
    this.failure = failure;
  }
}

function sourceOf({ code, files = new Map() }: Attack): FileTree {
  return new Map([...tree({ 'attack.sh': `${code}\necho rendered: yes\n` }), ...files]);
}

async function lastLayer(layout: string): Promise<string> {
  const { manifest } = await readLayout(layout);
  const layer = manifest.layers.at(-1);
  if (layer === undefined) throw new Error('an image without layers');
  return uncompressed(await readBlob(layout, layer, 2 ** 26), 2 ** 26).toString('latin1');
}

interface Ground {
  readonly builder: Builder;
  readonly workdir: string;
  readonly log: (text: string) => void;
  readonly progress: (text: string) => void;
  readonly signal: AbortSignal;
  readonly plan: { bases: Record<string, string>; lock: { platforms: readonly [typeof platform] } };
}

async function aftermath(
  world: HostileWorld,
  attack: Attack,
  work: (ground: Ground) => Promise<string>,
): Promise<Aftermath> {
  const builder =
    attack.builder ??
    (await createBuilder(configurationOf(world, attack.limits), { state: world.state }));
  const workdir = await mkdtemp(join(world.folder, 'work-'));
  let printed = 0;
  let log = '';
  const ground: Ground = {
    ...{ builder, workdir, signal: new AbortController().signal, progress: () => {} },
    log: (text) => {
      printed += text.length;
      if (log.length < 2 ** 20) log += text;
      attack.log?.(text);
    },
    plan: { bases: { [image]: world.base }, lock: { platforms: [platform] } },
  };
  try {
    const outcome = await attempt(() => work(ground));
    if (outcome.ok) return { failure: undefined, printed, log, kept: outcome.value };
    return { failure: outcome.failures[0], printed, log, kept: '' };
  } catch (error) {
    if (error instanceof PatchFailed) return { failure: error.failure, printed, log, kept: '' };
    throw error;
  }
}

/** The configuration of a world; `sandbox`: limits of its builds. */
export function configurationOf(world: HostileWorld, sandbox: Partial<Limits> = {}): Configuration {
  return Configuration.parse({
    remotes: { demo: { push: world.registry } },
    limits: { sandbox },
  });
}
