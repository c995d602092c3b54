import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBuilder } from '../../../src/adapters/builder/buildah.ts';
import { createRegistry } from '../../../src/adapters/registry/registry.ts';
import type { Builder } from '../../../src/steps/step.ts';
import { configurationOf, type HostileWorld, platform } from './places.ts';

/** A compile cache that images of a world read: it begins with a seed, and is open in `builder`. */
export interface TestCache extends AsyncDisposable {
  readonly builder: Builder;
  /** Where a RUN of an image sees it: one file `compiled`. */
  readonly folder: string;
  /** Runs a command in an image that may use the cache; gives what it printed. Fails where the file is not what it was. */
  image(run: string): Promise<string>;
}

const folder = '/var/cache/compiler';
// Less is not worth a seed.
const object = Buffer.alloc(300_000, 'compiled before\n');

/** Compiles the product's own sources, and opens what became of it. */
export async function compileCache(world: HostileWorld): Promise<TestCache> {
  const configuration = configurationOf(world);
  const registry = await createRegistry(configuration, { folder: world.folder });
  const open = () => createBuilder(configuration, { state: world.state, registry });
  const first = await open();
  await build(world, first, `cp object ${folder}/compiled`, true);
  await first.close({ keepCaches: true, log: () => {} });
  const builder = await open();
  return {
    ...{ builder, folder },
    image: (run) => build(world, builder, `cmp object ${folder}/compiled && ${run}`, false),
    [Symbol.asyncDispose]: () => builder.close({ keepCaches: false, log: () => {} }),
  };
}

async function build(
  world: HostileWorld,
  builder: Builder,
  run: string,
  own: boolean,
): Promise<string> {
  const workdir = await mkdtemp(join(world.folder, 'image-'));
  const context = join(workdir, 'context');
  await mkdir(context);
  await writeFile(join(context, 'object'), object);
  let printed = '';
  await builder.build(
    {
      ...{ context, bases: { base: world.base }, args: {}, platform, network: false },
      dockerfile: `FROM base AS build\nCOPY object /object\nRUN ${run}\nFROM base\nCOPY --from=build /object /object\n`,
      output: join(workdir, 'output'),
      cache: { folders: [folder], group: 'image/a', seeds: `${world.registry}/seeds`, own },
    },
    (text) => (printed += text),
    new AbortController().signal,
  );
  return printed;
}
