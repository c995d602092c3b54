import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startRegistry } from '../../../test/support/registry.ts';
import { operator, smallBuild, tree } from '../../../test/support/small-build.ts';
import { createBuilder } from '../../adapters/builder/buildah.ts';
import { createRegistry } from '../../adapters/registry/registry.ts';
import { Configuration } from '../../config/config.ts';
import type { ImageName, Key } from '../../plan/names.ts';
import { writeArtifact } from '../artifact.ts';
import { readBlob, readLayout, uncompressed } from '../oci-layout.ts';
import { unpackTree } from '../tar-tree.ts';
import { runOperatorPayload } from './run-operator-payload.ts';

test('in a real registry and store, nothing of the old kodata shows through', {
  tags: ['slow'],
  timeout: 60_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-operator-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await using server = await startRegistry();
  const configuration = Configuration.parse({ remotes: { demo: { push: server.host } } });
  const registry = await createRegistry(configuration, { folder });
  await using build = await smallBuild({ registry, remote: `${server.host}/team` });

  const context = build.context();
  const files = tree({ 'addons/deep/a.yaml': 'addon' });
  const metadata = { component: operator, replaces: null, version: null, keep: [] };
  const reference = `${build.remote}/tributary:key-${'d'.repeat(64)}`;
  const digest = await writeArtifact(registry, context.workdir, reference, {
    kind: 'payload',
    metadata,
    files,
  });
  const payload = { kind: 'payload', key: 'd'.repeat(64) as Key, reused: false, digest } as const;
  const output = await runOperatorPayload(
    {
      ...{
        kind: 'operator-payload',
        id: 'operator-payload/operator',
        group: 'operator',
        weight: 1,
      },
      ...{ image: 'operator' as ImageName, kodata: '/kodata', key: null },
      needs: ['image/operator', `payload/${operator}`],
    },
    { ...context, outputs: { ...context.outputs, [`payload/${operator}`]: payload } },
  );

  const image = 'image' in output ? output.image : '';
  const layout = join(folder, 'seen');
  const builder = await createBuilder(configuration, { state: join(folder, 'state') });
  await builder.build(
    {
      ...{
        context: context.workdir,
        bases: { 'registry.example.com/operator:1': image },
        args: {},
        network: false,
      },
      ...{ platform: 'linux/amd64', output: layout },
      // buildah 1.28 forgets a stage without any instruction of its own.
      dockerfile:
        'FROM registry.example.com/operator:1 AS operator\nENV STAGE=1\nFROM scratch\nCOPY --from=operator / /\n',
    },
    () => {},
    context.signal,
  );
  const { manifest } = await readLayout(layout);
  const layer = await readBlob(layout, manifest.layers[0] ?? manifest.config, 1e7);
  const seen = await unpackTree(uncompressed(layer, 1e7), { bytes: 1e7, entries: 1000 });
  expect(seen).toEqual({
    ok: true,
    value: tree({ 'ko-app/operator': 'program', 'kodata/addons/deep/a.yaml': 'addon' }),
  });
});
