import type { ComponentName, ImageName } from '../plan/names.ts';
import { didYouMean } from '../request/nearest.ts';
import { parseRepository } from '../request/ref.ts';
import { refNameProblem } from '../request/ref-name.ts';
import type { Component, Product, ProductImage } from './product.ts';

/** One thing that is wrong in data: where, and a sentence. */
export interface Contradiction {
  readonly path: readonly PropertyKey[];
  readonly text: string;
  /** What would mend it by being there: the name of a component or release; empty where any will do. */
  readonly lacks?: string;
}

/** What the schema of a product cannot say: names that lead nowhere, and things said twice. */
export function contradictions(product: Product): Contradiction[] {
  return [
    ...checkRepository(product.repository, ['repository']),
    ...checkReleases(product),
    ...entriesOf(product.components).flatMap(([name, component]) =>
      checkComponent(name, component, product),
    ),
    ...checkNames(product),
    ...entriesOf(product.images).flatMap(([name, image]) => checkImage(name, image, product)),
    ...checkGoPaths(product),
    ...checkCsvNames(product),
    ...checkImagesOrMakefile(product),
    ...checkKodata(product),
    ...checkIndex(product),
  ];
}

function entriesOf<Name extends string, Value>(
  record: Readonly<Record<Name, Value>>,
): [Name, Value][] {
  return Object.entries(record) as [Name, Value][];
}

function checkRepository(url: string, path: readonly string[]): Contradiction[] {
  const parsed = parseRepository(url);
  if (parsed.ok) return [];
  return [{ path, text: `${parsed.failures[0].detail} ${parsed.failures[0].hint}` }];
}

function checkReleases({ releases }: Product): Contradiction[] {
  const names = Object.keys(releases);
  const defaults = names.filter((name) => releases[name]?.default);
  const branches = names.flatMap((name) =>
    checkBranch(releases[name]?.branch ?? '', ['releases', name, 'branch']),
  );
  if (names.length === 0)
    return [{ path: ['releases'], text: '`releases`: name at least one', lacks: '' }];
  if (defaults.length === 1) return branches;
  const text =
    defaults.length === 0
      ? '`releases`: mark the one that requests mean which name none with `default: true`'
      : `\`releases\`: only one can be the default, not ${defaults.join(' and ')}`;
  const lack = defaults.length === 0 ? { lacks: '' } : {};
  return [...branches, { path: ['releases', ...defaults.slice(1, 2)], text, ...lack }];
}

function checkBranch(name: string, path: readonly string[]): Contradiction[] {
  const problem = refNameProblem(name);
  return problem === undefined ? [] : [{ path, text: `\`${path.join('.')}\`: ${problem}` }];
}

function checkComponent(
  name: ComponentName,
  component: Component,
  product: Product,
): Contradiction[] {
  const path = ['components', name];
  const releases = Object.keys(product.releases);
  const url = component.repository;
  return [
    ...(url === undefined ? [] : checkRepository(url, [...path, 'repository'])),
    ...Object.entries(component.tracks).flatMap(([release, branch]) => [
      ...(releases.includes(release)
        ? []
        : [unknown('release', release, releases, [...path, 'tracks', release])]),
      ...checkBranch(branch, [...path, 'tracks', release]),
    ]),
    ...checkPatches(component, path),
    ...checkPayload(component, path),
  ];
}

function checkPatches({ patches }: Component, path: readonly string[]): Contradiction[] {
  if (patches?.image === undefined || patches['applied-by'] === 'tributary') return [];
  return [
    {
      path: [...path, 'patches', 'image'],
      text: 'scripts run only where the patches are `applied-by: tributary`',
    },
  ];
}

/** A rule whose output changes with each version must take the place of the one before. */
function checkPayload({ payload }: Component, path: readonly string[]): Contradiction[] {
  if (payload === undefined) return [];
  const placeholders = payload.into.match(/\{[^}]*\}/g) ?? [];
  const odd = placeholders.find((placeholder) => placeholder !== '{version}');
  const at = [...path, 'payload', 'into'];
  if (odd === '{shipped}')
    return [{ path: at, text: '`into`: {shipped} is not known in this layout; use {version}' }];
  if (odd !== undefined)
    return [{ path: at, text: `\`into\`: ${odd} is unknown; there is {version}` }];
  if (hasFolder(payload)) return [];
  return [
    {
      path: at,
      text: `\`into\`: ${payload.into} is in no folder of its own; name one, as in tekton-pipeline/{version}/00-pipelines.yaml`,
    },
  ];
}

/** What is rendered anew takes the place of a folder, which must not be all of kodata. */
function hasFolder({ render, into }: NonNullable<Component['payload']>): boolean {
  if (render === 'copy' && into === '.') return true;
  const folders = into.split('/').slice(0, render === 'copy' ? undefined : -1);
  return folders.length > 0 && folders[0]?.includes('{version}') === false;
}

/** Names of components and their aliases, all different whatever the case. */
function checkNames({ components }: Product): Contradiction[] {
  const names = entriesOf(components).flatMap(([name, { aliases }]) => [
    { text: name, path: ['components', name] as PropertyKey[] },
    ...aliases.map((alias, index) => ({
      text: alias as string,
      path: ['components', name, 'aliases', index],
    })),
  ]);
  return repeated(names.map(({ text, path }) => ({ key: text.toLowerCase(), path }))).map(
    ({ key, path }) => ({
      path,
      text: `${key} is the name or alias of a component twice`,
    }),
  );
}

function checkImage(name: ImageName, image: ProductImage, product: Product): Contradiction[] {
  const path = ['images', name];
  const components = Object.keys(product.components);
  const clash =
    name === product.bundle.image ? 'bundle' : name === product.index.image ? 'index' : undefined;
  return [
    ...image.of.flatMap((component, index) =>
      components.includes(component)
        ? []
        : [unknown('component', component, components, [...path, 'of', index])],
    ),
    ...repeated(image.of.map((key, index) => ({ key, path: [...path, 'of', index] }))).map(
      ({ key, path: at }) => ({
        path: at,
        text: `${key} is named twice`,
      }),
    ),
    ...(clash === undefined ? [] : [{ path, text: `\`${name}\` is also the ${clash}'s name` }]),
    ...(image.network && image.kodata !== undefined
      ? [
          {
            path: [...path, 'network'],
            text: 'an image that carries the payload is built without network',
          },
        ]
      : []),
    ...Object.keys(image.args)
      .filter((arg) => /^(CI_.*_UPSTREAM_(COMMIT|URL|VERSION)|REMOTE_SOURCES?(_DIR)?)$/.test(arg))
      .map((arg) => ({ path: [...path, 'args', arg], text: `${arg} is set by every build` })),
  ];
}

function checkGoPaths({ images }: Product): Contradiction[] {
  const paths = entriesOf(images).flatMap(([name, { go }]) =>
    go === undefined ? [] : [{ key: go, path: ['images', name, 'go'] }],
  );
  return repeated(paths).map(({ key, path }) => ({
    path,
    text: `ko://${key} is two images; only one can take its place`,
  }));
}

/** One name of the CSV has one image. */
function checkCsvNames({ images }: Product): Contradiction[] {
  const names = entriesOf(images).flatMap(([name, { csv }]) =>
    [...new Set([...csv.env, ...csv.related])].map((key) => ({
      key,
      path: ['images', name, 'csv'],
    })),
  );
  const everything = entriesOf(images)
    .filter(([, { csv }]) => csv.containers.length > 0)
    .flatMap(([name, { csv }]) =>
      csv.containers.map((container) => ({
        key: `${csv.deployment ?? '*'}/${container}`,
        path: ['images', name, 'csv'],
      })),
    );
  return [
    ...repeated(names).map(({ key, path }) => ({ path, text: `${key} is said of two images` })),
    ...repeated(everything).map(({ key, path }) => ({
      path,
      text: `container ${key} is said of two images`,
    })),
  ];
}

function checkImagesOrMakefile({ images, makefile }: Product): Contradiction[] {
  if (Object.keys(images).length > 0 || makefile !== undefined) return [];
  return [{ path: [], text: 'name the `images` of the product, or the targets of its `makefile`' }];
}

function checkKodata(product: Product): Contradiction[] {
  // What its Makefile makes of a payload is not described then.
  if (Object.keys(product.images).length === 0) return [];
  const withPayload = entriesOf(product.components).find(
    ([, { payload }]) => payload !== undefined,
  );
  const carried = Object.values(product.images).some(({ kodata }) => kodata !== undefined);
  if (withPayload === undefined || carried) return [];
  return [
    {
      path: ['images'],
      text: `${withPayload[0]} has a payload, and no image carries it (\`kodata: /kodata\`)`,
      lacks: '',
    },
  ];
}

function checkIndex({ index, bundle }: Product): Contradiction[] {
  return [
    ...(index.serve === 'opm' && index.base === undefined
      ? [{ path: ['index'], text: '`serve: opm` needs `base`, an opm image' }]
      : []),
    ...(index.serve === 'data' && index.base !== undefined
      ? [{ path: ['index', 'base'], text: '`serve: data` has no base' }]
      : []),
    ...(index.image === bundle.image
      ? [{ path: ['index', 'image'], text: `\`${index.image}\` is also the bundle's name` }]
      : []),
  ];
}

function unknown(
  what: string,
  name: string,
  known: readonly string[],
  path: readonly PropertyKey[],
): Contradiction {
  const near = didYouMean(name, known) ?? `Known: ${known.join(', ')}.`;
  return { path, text: `there is no ${what} ${name}. ${near}`, lacks: name };
}

interface Keyed {
  readonly key: string;
  readonly path: readonly PropertyKey[];
}

/** Every occurrence of a key after its first. */
function repeated(items: readonly Keyed[]): Keyed[] {
  const seen = new Set<string>();
  return items.filter(({ key }) => {
    const again = seen.has(key);
    seen.add(key);
    return again;
  });
}
