import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { createRegistry } from '../../src/adapters/registry/registry.ts';
import type { Build } from '../../src/builds/build.ts';
import { Configuration } from '../../src/config/config.ts';
import { type FileTree, textFile } from '../../src/plan/file-tree.ts';
import { readImageFiles } from '../../src/steps/image-files.ts';
import { writeOpmImage } from '../../src/steps/index/opm-image.ts';
import { renderCatalog } from '../../src/steps/index/render-catalog.ts';
import { gzipLayer } from '../../src/steps/oci-layout.ts';
import { pushImage } from '../cluster/oci-image.ts';
import type { TestCluster } from './cluster.ts';

/**
 * The product as it is released: what a build of what it pins has made, under the name and version that it is sold by, in a catalog of its own. Gives the
 * catalog's image.
 */
export async function pushReleased(
  cluster: TestCluster,
  remote: string,
  { bundle, tag }: Pick<Build, 'bundle' | 'tag'>,
  name: string,
): Promise<string> {
  const authfile = join(cluster.pushSecret, 'config.json');
  const { insecure } = cluster;
  const configuration = Configuration.parse({
    registries: { [cluster.registry.split('/')[0] ?? '']: { insecure } },
    remotes: { demo: { push: remote, authfile, insecure } },
  });
  const folder = await mkdtemp(join(tmpdir(), 'tributary-released-'));
  try {
    const registry = await createRegistry(configuration, { folder });
    const built = await readImageFiles(registry, `${bundle.image}`);
    const files = releasedFiles(built, `-t${tag.slice(tag.lastIndexOf('-') + 1)}`);
    const image = `${remote}/released-bundle:1`;
    await pushImage(image, [await gzipLayer(files)], {}, authfile);
    const catalog = renderCatalog({ files, image }, { name, channels: ['latest'] });
    const layer = await gzipLayer(
      new Map([
        [
          `configs/${name}/catalog.json`,
          textFile(catalog.map((one) => JSON.stringify(one)).join('\n')),
        ],
      ]),
    );
    const index = `${remote}/released-index:1`;
    const layout = join(folder, 'index');
    await writeOpmImage(registry, cluster.opm, layout, {}, layer);
    await registry.pushLayout(layout, index);
    return index;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The same manifests without what tells a build from a release. */
function releasedFiles(built: FileTree, suffix: string): FileTree {
  return new Map(
    [...built].map(([path, file]) => {
      if (!path.endsWith('clusterserviceversion.yaml')) return [path, file];
      const csv = parse(file.content.toString().replaceAll(suffix, ''));
      delete csv.spec.replaces;
      delete csv.metadata.annotations['olm.skipRange'];
      return [path, textFile(stringify(csv))];
    }),
  );
}
