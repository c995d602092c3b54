import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBuilder } from '../../../src/adapters/builder/buildah.ts';
import { createGit } from '../../../src/adapters/git/git-command.ts';
import { createMirrors } from '../../../src/adapters/git/git-mirrors.ts';
import { openShelf } from '../../../src/adapters/storage/shelf.ts';
import { attempt, type Failure } from '../../../src/builds/failure.ts';
import { Configuration } from '../../../src/config/config.ts';
import { type FileTree, textFile } from '../../../src/plan/file-tree.ts';
import type { ComponentName } from '../../../src/plan/names.ts';
import { renderCommand } from '../../../src/steps/payload/render-command.ts';
import { applyPatches } from '../../../src/steps/prepare/apply-patches.ts';
import type { Builder, StepContext } from '../../../src/steps/step.ts';
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
}

const image = 'registry.example.com/base/hostile:1';
const component = 'tektoncd/pipeline' as ComponentName;
const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';

/** All places where code of a ref runs. */
export const places: readonly [Place, Place, Place] = [
  {
    place: 'RUN of a Dockerfile',
    attack: (world, attack) =>
      aftermath(world, attack, async ({ builder, workdir, log, signal }) => {
        const context = join(workdir, 'context');
        await mkdir(context);
        for (const [path, { content }] of sourceOf(attack))
          await writeFile(join(context, path), content);
        const dockerfile = 'FROM base\nWORKDIR /src\nCOPY . .\nRUN sh attack.sh\n';
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
      }),
  },
  {
    place: 'a command that renders a payload',
    attack: (world, attack) =>
      aftermath(world, attack, async (context) => {
        const rule = { render: 'command' as const, run: ['sh', 'attack.sh'], image, env: {} };
        const more = { markers: [], into: 'x.yaml', keep: [] };
        await renderCommand(
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
        const repository = await createRepository(join(context.workdir, 'upstream'));
        const files = [...sourceOf(attack)].map(([path, { content }]) => [
          path,
          content.toString(),
        ]);
        const commit = await repository.commit('start', Object.fromEntries(files));
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
        const { failures } = await applyPatches(
          component,
          rule,
          undefined,
          product,
          source,
          mirror,
          context,
        );
        if (failures[0] !== undefined) throw new PatchFailed(failures[0]);
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
  work: (ground: Ground) => Promise<void>,
): Promise<Aftermath> {
  const builder = await createBuilder(configurationOf(world, attack.limits), {
    state: world.state,
  });
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
    return { failure: outcome.ok ? undefined : outcome.failures[0], printed, log };
  } catch (error) {
    if (error instanceof PatchFailed) return { failure: error.failure, printed, log };
    throw error;
  }
}

function configurationOf(world: HostileWorld, sandbox: Partial<Limits> = {}): Configuration {
  return Configuration.parse({
    remotes: { demo: { push: world.registry } },
    limits: { sandbox },
  });
}
