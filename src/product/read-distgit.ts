import type { Failure, PartlyRead } from '../builds/failure.ts';
import { type BaseUse, baseUses, declaredArgs } from '../plan/dockerfile.ts';
import { type FileTree, folders, readText, subtree } from '../plan/file-tree.ts';
import type { ImageName } from '../plan/names.ts';
import { didYouMean } from '../request/nearest.ts';
import { describePlace, failureAt, type Locate, locateIn, type Place } from './place.ts';
import type { Product, ProductImage } from './product.ts';

/** What the productization repository says about one image. */
export interface DistgitImage {
  /** Path of the Dockerfile in the repository. */
  readonly path: string;
  readonly dockerfile: string;
  /** The container folder, by paths relative to it. */
  readonly context: FileTree;
  /** Images from outside that it is built from. */
  readonly bases: readonly BaseUse[];
  /** Names of the build arguments that it declares. */
  readonly args: ReadonlySet<string>;
}

/** The distgit layout of a productization repository, read as product.yaml describes it. */
export interface Distgit {
  readonly images: Readonly<Record<ImageName, DistgitImage>>;
}

/** Folder of all container folders. */
const containers = 'distgit/containers';

/** Reads a productization repository in the distgit layout: every image of product.yaml has its Dockerfile. */
export function readDistgit(
  tree: FileTree,
  product: Product,
  locate: Locate = locateIn(undefined),
): PartlyRead<Distgit> {
  const problems: Failure[] = [];
  const images: [ImageName, DistgitImage][] = [];
  for (const [name, image] of Object.entries(product.images) as [ImageName, ProductImage][]) {
    const read = readImage(tree, name, image, locate, problems);
    if (read !== undefined) images.push([name, read]);
  }
  return { value: { images: Object.fromEntries(images) as Distgit['images'] }, problems };
}

function bad(place: Place, detail: string, hint: string): Failure {
  return failureAt(place, { reason: 'bad-product', detail, hint });
}

/** Folders of `distgit/containers` that are no image of product.yaml, nor its bundle or index: an image was forgotten. */
export function unnamedFolders(
  tree: FileTree,
  product: Product,
  locate: Locate = locateIn(undefined),
): Failure[] {
  const found = [...tree.keys()]
    .filter((path) => path.startsWith(`${containers}/`) && path.split('/').length > 3)
    .map((path) => path.split('/').slice(0, 3).join('/'));
  const named = [
    ...Object.values(product.images).map(({ context }) => context),
    product.bundle.from,
    `${containers}/${product.bundle.image}`,
    `${containers}/${product.index.image}`,
  ];
  const isNamed = (folder: string) =>
    named.some((path) => path === folder || path.startsWith(`${folder}/`));
  return [...new Set(found)]
    .filter((folder) => !isNamed(folder))
    .map((folder) =>
      bad(
        { file: folder },
        'it is no image of product.yaml, nor its bundle or index.',
        `Describe it under \`images:\` (${describePlace(locate(['images']))}), with \`context: ${folder}\`, or remove the folder.`,
      ),
    );
}

function readImage(
  tree: FileTree,
  name: ImageName,
  image: ProductImage,
  locate: Locate,
  problems: Failure[],
): DistgitImage | undefined {
  const path = `${prefixOf(image.context)}${image.dockerfile}`;
  const dockerfile = readText(tree, path);
  if (dockerfile === undefined) {
    problems.push(missingDockerfile(tree, name, image, path, locate));
    return undefined;
  }
  const bases = baseUses(dockerfile, image.args);
  problems.push(...dockerfileProblems(dockerfile, path, bases, name, locate));
  return {
    path,
    dockerfile,
    context: subtree(tree, image.context),
    bases: bases.filter(namesImage),
    args: declaredArgs(dockerfile),
  };
}

function missingDockerfile(
  tree: FileTree,
  name: ImageName,
  { context }: ProductImage,
  path: string,
  locate: Locate,
): Failure {
  const all = [...new Set([...tree.keys()].flatMap(folders))];
  if (context !== '.' && !all.includes(context)) {
    return bad(
      locate(['images', name, 'context']),
      `image ${name} is to be built from ${context}, and the productization repository has no such folder.`,
      didYouMean(context, all) ??
        `Correct \`context\`, remove the image from product.yaml, or add the folder with its Dockerfile.`,
    );
  }
  const near = didYouMean(
    path,
    [...tree.keys()].filter((other) => other.startsWith(prefixOf(context))),
  );
  return bad(
    locate(['images', name, 'dockerfile']),
    `image ${name} is to be built from ${path}, and the productization repository has no such file.`,
    near ?? 'Correct `context` or `dockerfile` of the image, or add the file.',
  );
}

function prefixOf(folder: string): string {
  return folder === '.' ? '' : `${folder}/`;
}

function dockerfileProblems(
  dockerfile: string,
  path: string,
  bases: readonly BaseUse[],
  name: ImageName,
  locate: Locate,
): Failure[] {
  if (!/^\s*FROM\s/im.test(dockerfile)) {
    const hint = 'A Dockerfile begins with FROM; correct it in the productization repository.';
    return [bad({ file: path, line: 1 }, 'it has no FROM.', hint)];
  }
  return bases
    .filter((base) => !namesImage(base))
    .map(({ text, line }) =>
      bad(
        { file: path, line },
        `"${text}" names no image.`,
        `Give its ARG a default value before the first FROM, or a value in \`args\` of the image (${describePlace(locate(['images', name]))}).`,
      ),
    );
}

function namesImage({ image }: BaseUse): boolean {
  return /^[\w[][^\s$]*$/.test(image);
}
