import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findSeed, writeSeed } from '../../src/adapters/builder/seeds.ts';
import { privilege as ownPrivilege } from '../../src/adapters/processes/sandbox.ts';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import { openShelf } from '../../src/adapters/storage/shelf.ts';
import { Configuration } from '../../src/config/config.ts';

/** The end of a build in miniature: adds a file to the seed of a machine, in a process of its own that a test can kill. */
const [folder = '', host = '', file = ''] = process.argv.slice(2);
const reference = `${host}/product:seed-1`;
const privilege = ownPrivilege();
const shelf = openShelf(join(folder, 'shelf'));
const registry = await createRegistry(
  Configuration.parse({ remotes: { demo: { push: host, insecure: true } } }),
  { folder },
);
const work = join(folder, `work-${process.pid}`);
const upper = join(work, 'upper');
await mkdir(upper, { recursive: true });
await writeFile(join(upper, file), Buffer.alloc(300_000, file));
const hold = async (name: string, make: (draft: string) => Promise<void>) => {
  await (await shelf.hold(name, make)).release();
  return join(shelf.folder, name);
};
const wanted = { reference, own: true, folder: join(work, 'seed') };
const seed = await findSeed(wanted, { registry, privilege, hold });
await writeSeed(
  { reference, about: { folder: '/cache' }, seed, upper },
  { registry, privilege, shelf, log: () => {} },
);
const now = await findSeed(wanted, { registry, privilege, hold });
process.stdout.write(JSON.stringify(now?.folders ?? []));
