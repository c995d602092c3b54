import { expect, test } from 'vitest';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import {
  operator,
  pipeline,
  type SmallBuild,
  smallBuild,
  tree,
} from '../../../test/support/small-build.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { ComponentName, Digest, ImageName, Key } from '../../plan/names.ts';
import type { StepOf } from '../../plan/plan.ts';
import { writeArtifact } from '../artifact.ts';
import { digestOf, mediaTypes, parseManifest, uncompressed } from '../oci-layout.ts';
import type { StepContext } from '../step.ts';
import { unpackTree } from '../tar-tree.ts';
import { runOperatorPayload } from './run-operator-payload.ts';

const step: StepOf<'operator-payload'> = {
  kind: 'operator-payload',
  id: 'operator-payload/operator',
  image: 'operator' as ImageName,
  kodata: '/kodata',
  needs: [`payload/${pipeline}`, 'image/operator', `payload/${operator}`],
  key: null,
  group: 'operator',
  weight: 1,
};
const payloads: Record<string, FileTree> = {
  [operator]: tree({ 'tekton-pipeline/0.1.0/old.yaml': 'old', 'addons/a.yaml': 'addon' }),
  [pipeline]: tree({ 'tekton-pipeline/0.68.0-tabc/00-pipelines.yaml': 'new' }),
};

test('puts one layer with exactly the payload over the operator image', async () => {
  await using build = await smallBuild();
  const output = await runOperatorPayload(step, await contextWithPayloads(build));
  const before = await imageAt(build, `${build.remote}/operator@${baseOf(build)}`);
  const after = await imageAt(build, `${build.remote}/operator:${build.plan.tag}`);
  expect(output).toMatchObject({
    kind: 'operator-payload',
    reused: false,
    digest: after.digest,
    image: `${build.remote}/operator@${after.digest}`,
  });
  expect(after.manifest.layers.slice(0, -1)).toEqual(before.manifest.layers);
  expect(await layerFiles(build, after.manifest.layers.at(-1)?.digest as Digest)).toEqual(
    tree({
      'kodata/.wh..wh..opq': '',
      'kodata/addons/a.yaml': 'addon',
      'kodata/tekton-pipeline/0.68.0-tabc/00-pipelines.yaml': 'new',
    }),
  );
});

test('leaves the config as it is but for layer and history', async () => {
  await using build = await smallBuild();
  await runOperatorPayload(step, await contextWithPayloads(build));
  const before = (await imageAt(build, `${build.remote}/operator@${baseOf(build)}`)).config;
  const after = (await imageAt(build, `${build.remote}/operator:${build.plan.tag}`)).config;
  const added = { created: '1970-01-01T00:00:00Z', created_by: 'payload in /kodata' };
  expect(after).toEqual({
    ...before,
    history: [...before.history, added],
    rootfs: {
      type: 'layers',
      diff_ids: [...before.rootfs.diff_ids, expect.stringMatching(/^sha256:/)],
    },
  });
});

test('finds by its key what it made before, also under another tag', async () => {
  await using build = await smallBuild();
  const first = await runOperatorPayload(step, await contextWithPayloads(build));
  const again = { ...build.plan, tag: 'other-abcdef' as typeof build.plan.tag };
  const second = await runOperatorPayload(step, {
    ...(await contextWithPayloads(build)),
    plan: again,
  });
  expect(second).toEqual({ ...first, reused: true });
  const tagged = await build.registry.manifest(`${build.remote}/operator:other-abcdef`);
  expect(tagged?.digest).toBe('digest' in first && first.digest);
});

test('makes the same image in whatever order payloads come, and whatever the registry held', async () => {
  await using one = await smallBuild();
  await using other = await smallBuild();
  const first = await runOperatorPayload(step, await contextWithPayloads(one));
  const context = await contextWithPayloads(other);
  await other.registry.copy(
    `${other.remote}/controller:${other.plan.tag}`,
    `${other.remote}/operator:${other.plan.tag}`,
  );
  const second = await runOperatorPayload({ ...step, needs: [...step.needs].reverse() }, context);
  expect(second).toEqual(first);
});

test('a rebuild makes it anew and says that nothing differs', async () => {
  await using build = await smallBuild();
  const first = await runOperatorPayload(step, await contextWithPayloads(build));
  const context = { ...(await contextWithPayloads(build)), rebuild: true };
  expect(await runOperatorPayload(step, context)).toEqual(first);
  expect(build.logged.at(-1)).toBe('rebuilt: the same bytes as before');
});

test('adopts what another build pushed meanwhile', async () => {
  const registry = new MemoryRegistry();
  await using build = await smallBuild({ registry });
  const context = await contextWithPayloads(build);
  const foreign = await build.pushImage(`${build.remote}/operator:foreign`, tree({ a: 'b' }));
  const output = await runOperatorPayload(step, {
    ...context,
    registry: takenOnSecondLook(registry, `${build.remote}/operator:foreign`),
  });
  expect(output).toMatchObject({ digest: foreign, reused: true });
});

test("takes an image of Docker's kind, and makes one of OCI's", async () => {
  const registry = new MemoryRegistry();
  await using build = await smallBuild({ registry });
  const context = await contextWithPayloads(build);
  const base = await imageAt(build, `${build.remote}/operator@${baseOf(build)}`);
  const docker = 'application/vnd.docker.distribution.manifest.v2+json';
  const bytes = Buffer.from(
    JSON.stringify({
      ...base.manifest,
      mediaType: docker,
      config: {
        ...base.manifest.config,
        mediaType: 'application/vnd.docker.container.image.v1+json',
      },
      layers: base.manifest.layers.map((layer) => ({
        ...layer,
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      })),
    }),
  );
  registry.put(`${build.remote}/operator:docker`, bytes, docker);
  const image = { ...build.outputs['image/operator'], digest: digestOf(bytes) } as never;
  await runOperatorPayload(step, {
    ...context,
    outputs: { ...context.outputs, 'image/operator': image },
  });
  const { manifest } = await imageAt(build, `${build.remote}/operator:${build.plan.tag}`);
  expect([manifest.config, ...manifest.layers].map(({ mediaType }) => mediaType)).toEqual([
    mediaTypes.config,
    mediaTypes.gzipLayer,
    mediaTypes.gzipLayer,
  ]);
});

/** The build's context after payload steps that made {@link payloads}. */
async function contextWithPayloads(build: SmallBuild): Promise<StepContext> {
  const context = build.context();
  const output = async (component: ComponentName, metadata: object) => {
    const reference = `${build.remote}/tributary:key-${component.replace('/', '-')}`;
    const files = payloads[component] as FileTree;
    const content = { kind: 'payload', metadata: { component, keep: [], ...metadata }, files };
    const digest = await writeArtifact(build.registry, context.workdir, reference, content);
    return { kind: 'payload', key: '0'.repeat(64) as Key, reused: false, digest } as const;
  };
  const outputs = {
    ...context.outputs,
    [`payload/${operator}`]: await output(operator, { replaces: null, version: null }),
    [`payload/${pipeline}`]: await output(pipeline, {
      replaces: 'tekton-pipeline',
      version: '0.68.0-tabc',
    }),
  };
  return { ...context, outputs };
}

function baseOf(build: SmallBuild): Digest {
  const output = build.outputs['image/operator'];
  if (output === undefined || !('digest' in output)) throw new Error('no image');
  return output.digest;
}

async function imageAt(build: SmallBuild, reference: string) {
  const stored = await build.registry.manifest(reference);
  if (stored === undefined) throw new Error(`no ${reference}`);
  const manifest = parseManifest(stored.bytes);
  const config = await build.registry.blob(`${build.remote}/operator`, manifest.config.digest, 1e6);
  return { digest: stored.digest, manifest, config: JSON.parse(config.toString()) };
}

async function layerFiles(build: SmallBuild, digest: Digest): Promise<FileTree> {
  const layer = await build.registry.blob(`${build.remote}/operator`, digest, 1e6);
  const files = await unpackTree(uncompressed(layer, 1e6), { bytes: 1e6, entries: 100 });
  if (!files.ok) throw new Error(files.failures.join());
  return files.value;
}

/** A registry in which an image appears under the step's key between its first and its second look. */
function takenOnSecondLook(registry: MemoryRegistry, image: string) {
  let looks = 0;
  return new Proxy(registry, {
    get(target, name) {
      if (name !== 'manifest') {
        const value = target[name as keyof MemoryRegistry];
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (reference: string) => {
        if (!/\/operator:key-/.test(reference)) return target.manifest(reference);
        looks += 1;
        return looks === 1 ? undefined : target.manifest(image);
      };
    },
  });
}
