import type { Failure, Outcome } from '../builds/failure.ts';
import { ok } from '../builds/result.ts';
import { type BaseUse, baseUses, declaredArgs } from '../plan/dockerfile.ts';
import { type FileTree, readText, subtree } from '../plan/file-tree.ts';
import type { ImageName } from '../plan/names.ts';
import { didYouMean } from '../request/nearest.ts';
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

/**
 * Reads a productization repository in the distgit layout. Product file and repository must agree: every
 * image has its Dockerfile, and every folder of `distgit/containers` is an image, the bundle or the index.
 */
export function readDistgit(tree: FileTree, product: Product): Outcome<Distgit> {
  const problems: Problem[] = [...unnamedFolders(tree, product), ...bundleProblems(tree, product)];
  const images: [ImageName, DistgitImage][] = [];
  for (const [name, image] of Object.entries(product.images) as [ImageName, ProductImage][]) {
    const read = readImage(tree, name, image, problems);
    if (read !== undefined) images.push([name, read]);
  }
  const [first, ...rest] = problems.map(
    ({ about, detail, hint }): Failure => ({ reason: 'bad-product', detail, hint, about }),
  );
  if (first !== undefined) return { ok: false, failures: [first, ...rest] };
  return ok({ images: Object.fromEntries(images) as Record<ImageName, DistgitImage> });
}

interface Problem {
  readonly detail: string;
  readonly hint: string;
  readonly about: { readonly file: string; readonly line?: number };
}

function unnamedFolders(tree: FileTree, product: Product): Problem[] {
  // Its Makefile knows what they are.
  if (Object.keys(product.images).length === 0) return [];
  const folders = [...tree.keys()]
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
  return [...new Set(folders)]
    .filter((folder) => !isNamed(folder))
    .map((folder) => ({
      detail: `${folder} is no image of product.yaml, nor its bundle or index.`,
      hint: `Describe it under \`images:\`, with \`context: ${folder}\`, or remove the folder.`,
      about: { file: folder },
    }));
}

function bundleProblems(tree: FileTree, { bundle }: Product): Problem[] {
  const folder = subtree(tree, bundle.from);
  const missing = [
    ...([...folder.keys()].some((path) => path.startsWith('manifests/')) ? [] : ['manifests/']),
    ...(folder.has('metadata/annotations.yaml') ? [] : ['metadata/annotations.yaml']),
  ];
  return missing.map((path) => ({
    detail: `${bundle.from}/${path} is missing: the bundle is made from it.`,
    hint: 'Correct `bundle.from` in product.yaml, or add it to the productization repository.',
    about: { file: `${bundle.from}/${path}` },
  }));
}

function readImage(
  tree: FileTree,
  name: ImageName,
  image: ProductImage,
  problems: Problem[],
): DistgitImage | undefined {
  const path = image.context === '.' ? image.dockerfile : `${image.context}/${image.dockerfile}`;
  const dockerfile = readText(tree, path);
  if (dockerfile === undefined) {
    problems.push(missingDockerfile(tree, name, path));
    return undefined;
  }
  const bases = baseUses(dockerfile, image.args);
  problems.push(...dockerfileProblems(dockerfile, path, bases));
  return {
    path,
    dockerfile,
    context: subtree(tree, image.context),
    bases,
    args: declaredArgs(dockerfile),
  };
}

function missingDockerfile(tree: FileTree, name: ImageName, path: string): Problem {
  const dockerfiles = [...tree.keys()].filter((other) => /(^|\/)[^/]*Dockerfile[^/]*$/.test(other));
  return {
    detail: `${path} does not exist; image ${name} is to be built from it.`,
    hint:
      didYouMean(path, dockerfiles) ??
      'Correct `context` or `dockerfile` of the image in product.yaml, or add the file.',
    about: { file: path },
  };
}

function dockerfileProblems(
  dockerfile: string,
  path: string,
  bases: readonly BaseUse[],
): Problem[] {
  if (!/^\s*FROM\s/im.test(dockerfile)) {
    const hint = 'A Dockerfile begins with FROM; correct it in the productization repository.';
    return [{ detail: `${path}:1: it has no FROM.`, hint, about: { file: path, line: 1 } }];
  }
  return bases
    .filter(({ image }) => !/^[\w[][^\s$]*$/.test(image))
    .map(({ text }) => {
      const line = dockerfile.split('\n').findIndex((other) => other.includes(text)) + 1;
      return {
        detail: `${path}:${line}: "${text}" names no image.`,
        hint: 'Give its ARG a default value before the first FROM, or a value in `args` of the image in product.yaml.',
        about: { file: path, line },
      };
    });
}
