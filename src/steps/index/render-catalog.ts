import { type Failure, FailureError } from '../../builds/failure.ts';
import { type FileTree, readText, subtree } from '../../plan/file-tree.ts';
import { parseKubernetesYaml } from '../kubernetes-yaml.ts';
import { asObject, asObjects, csvMetadata, type Json, type JsonObject } from './csv-metadata.ts';

/** A bundle as its image holds it. */
export interface CatalogBundle {
  /** `manifests/…`, `metadata/…`. */
  readonly files: FileTree;
  /** Reference by digest, as a cluster pulls it. */
  readonly image: string;
}

/** What the catalog offers it as. */
export interface CatalogPackage {
  readonly name: string;
  /** The first is the default. */
  readonly channels: readonly string[];
}

/**
 * A file-based catalog with one bundle in every channel: its objects `olm.package`, `olm.channel` and
 * `olm.bundle` (operator-registry, alpha/declcfg). The bundle is told as `opm render
 * --migrate-level=bundle-object-to-csv-metadata` tells it.
 */
export function renderCatalog(bundle: CatalogBundle, offered: CatalogPackage): JsonObject[] {
  const manifests = readManifests(bundle.files);
  const csv = manifests.find(({ kind }) => kind === 'ClusterServiceVersion');
  if (csv === undefined) throw new FailureError(unreadable('it has no ClusterServiceVersion'));
  const spec = asObject(csv['spec']);
  const metadata = asObject(csv['metadata']);
  const [icon] = asObjects(spec['icon']);
  const entry = {
    name: metadata['name'],
    replaces: spec['replaces'],
    skips: spec['skips'],
    skipRange: asObject(metadata['annotations'])['olm.skipRange'],
  };
  return [
    {
      schema: 'olm.package',
      name: offered.name,
      defaultChannel: offered.channels[0],
      ...(icon && { icon: { base64data: icon['base64data'], mediatype: icon['mediatype'] } }),
    },
    ...offered.channels.map((name) => ({
      ...{ schema: 'olm.channel', name, package: offered.name },
      entries: [entry as JsonObject],
    })),
    {
      schema: 'olm.bundle',
      name: metadata['name'],
      package: offered.name,
      image: bundle.image,
      properties: [
        ...properties(bundle.files, manifests, csv, offered.name),
        { type: 'olm.csv.metadata', value: csvMetadata(csv) },
      ],
      relatedImages: relatedImages(spec, bundle.image),
    },
  ];
}

function readManifests(files: FileTree): JsonObject[] {
  return [...subtree(files, 'manifests')].map(([name, file]) =>
    asObject(parseKubernetesYaml(file.content.toString(), `manifests/${name}`)),
  );
}

function unreadable(why: string): Failure {
  return {
    reason: 'bad-bundle',
    detail: `The bundle cannot be read: ${why}.`,
    hint: "Mend the manifest in the operator's repository, or in `bundle.from` of the product.",
  };
}

interface Property {
  readonly [key: string]: Json | undefined;
  readonly type: string;
  readonly value: Json;
}

/** In the order of opm: by type, then by value. */
function properties(
  files: FileTree,
  manifests: readonly JsonObject[],
  csv: JsonObject,
  name: string,
): Property[] {
  const spec = asObject(csv['spec']);
  const found: Property[] = [
    { type: 'olm.package', value: { packageName: name, version: spec['version'] } },
    ...providedApis(manifests, spec).map((value) => ({ type: 'olm.gvk', value })),
    ...requiredApis(spec).map((value) => ({ type: 'olm.gvk.required', value })),
    ...dependencies(files),
    ...ownProperties(files, csv),
  ];
  const unique = new Map(found.map((item) => [`${item.type} ${JSON.stringify(item.value)}`, item]));
  const order = (a: string, b: string) => Number(a > b) - Number(a < b);
  return [...unique.values()].sort(
    (a, b) => order(a.type, b.type) || order(JSON.stringify(a.value), JSON.stringify(b.value)),
  );
}

function providedApis(manifests: readonly JsonObject[], spec: JsonObject): JsonObject[] {
  const crds = manifests.filter(({ kind }) => kind === 'CustomResourceDefinition');
  const served = crds.flatMap((crd) => {
    const { group, names, versions } = asObject(crd['spec']);
    const { kind } = asObject(names);
    return asObjects(versions).map((version) => ({ group, kind, version: version['name'] }));
  });
  return [...served, ...asObjects(asObject(spec['apiservicedefinitions'])['owned']).map(gvk)];
}

function requiredApis(spec: JsonObject): JsonObject[] {
  const crds = asObjects(asObject(spec['customresourcedefinitions'])['required']);
  return [
    ...crds.map(({ name, kind, version }) => ({
      group: String(name).replace(/^[^.]*\./, ''),
      ...{ kind, version },
    })),
    ...asObjects(asObject(spec['apiservicedefinitions'])['required']).map(gvk),
  ];
}

function gvk({ group, kind, version }: JsonObject): JsonObject {
  return { group, kind, version };
}

/** `metadata/dependencies.yaml`, in the words of a catalog. */
function dependencies(files: FileTree): Property[] {
  const file = 'metadata/dependencies.yaml';
  const text = readText(files, file) ?? '';
  return asObjects(asObject(parseKubernetesYaml(text, file))['dependencies']).map((item) => {
    const value = asObject(item['value']);
    if (item['type'] === 'olm.gvk') return { type: 'olm.gvk.required', value: gvk(value) };
    if (item['type'] !== 'olm.package') return { type: String(item['type']), value };
    const { packageName, version } = value;
    return { type: 'olm.package.required', value: { packageName, versionRange: version } };
  });
}

/** `metadata/properties.yaml` and the CSV's annotation `olm.properties`. */
function ownProperties(files: FileTree, csv: JsonObject): Property[] {
  const file = 'metadata/properties.yaml';
  const text = readText(files, file) ?? '';
  const annotation = asObject(asObject(csv['metadata'])['annotations'])['olm.properties'];
  const annotated =
    typeof annotation === 'string'
      ? parseKubernetesYaml(annotation, 'the annotation olm.properties')
      : [];
  const items = [
    ...asObjects(asObject(parseKubernetesYaml(text, file))['properties']),
    ...asObjects(annotated),
  ];
  return items
    .filter(({ type }) => type !== 'olm.package')
    .map(({ type, value }) => ({ type: String(type), value: value ?? null }));
}

/** The CSV's own, the bundle, and the operator's containers. */
function relatedImages(spec: JsonObject, bundleImage: string): JsonObject[] {
  const related = asObjects(spec['relatedImages']).map(({ name, image }) => ({
    name: name ?? '',
    image,
  }));
  const seen = new Set<Json | undefined>(related.map(({ image }) => image));
  for (const image of [bundleImage, ...operatorImages(spec)]) {
    if (seen.has(image)) continue;
    seen.add(image);
    related.push({ name: '', image });
  }
  return related;
}

function operatorImages(spec: JsonObject): Json[] {
  const strategy = asObject(asObject(spec['install'])['spec']);
  return asObjects(strategy['deployments']).flatMap((deployment) => {
    const template = asObject(asObject(deployment['spec'])['template']);
    const { containers, initContainers } = asObject(template['spec']);
    return [...asObjects(containers), ...asObjects(initContainers)].map(({ image }) => image ?? '');
  });
}
