import {
  type FileTree,
  placedIn,
  subtree,
  textFile,
  withFiles,
  without,
} from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';

/** What the build context of an image is made of (distgit layout). */
export interface ContextParts {
  /** The productization repository. */
  readonly product: FileTree;
  /** Folder of the image in it. */
  readonly folder: string;
  /** The components that it is built from, in the order of product.yaml. */
  readonly components: readonly ContextComponent[];
}

/** A component's part of the context. */
export interface ContextComponent {
  readonly name: ComponentName;
  readonly source: FileTree;
  /** Folder of its patches in the productization repository, and which of them the Dockerfile has to apply. */
  readonly patches?: { readonly dir: string; readonly left: readonly string[] };
}

/**
 * The build context of an image: its container folder, the sources as `remote-source/app/` (of several
 * components, `remote-sources/<repo>/app/`), and in `patches/` exactly the patches that are left to apply.
 */
export function composeContext({ product, folder, components }: ContextParts): FileTree {
  let context = subtree(product, folder);
  for (const { name, source } of components) {
    const place = components.length === 1 ? 'remote-source' : `remote-sources/${repoOf(name)}`;
    context = withFiles(without(context, place), placedIn(`${place}/app`, source));
  }
  const patched = components.filter((component) => component.patches !== undefined);
  if (patched.length === 0) return context;
  const patches = patched.map((component) =>
    placedIn(
      components.length === 1 ? 'patches' : `patches/${repoOf(component.name)}`,
      left(product, component),
    ),
  );
  return withFiles(without(context, 'patches'), ...patches);
}

/** The patches that are left; a folder that COPY can find where there are none. */
function left(product: FileTree, { name, patches }: ContextComponent): FileTree {
  const found = new Map<string, ReturnType<typeof textFile>>();
  for (const file of patches?.left ?? []) {
    const patch = product.get(patches?.dir === '.' ? file : `${patches?.dir}/${file}`);
    if (patch === undefined) throw new Error(`patch ${file} of ${name} is not in ${patches?.dir}`);
    found.set(file, patch);
  }
  return found.size > 0 ? found : new Map([['.placeholder', textFile('')]]);
}

function repoOf(component: ComponentName): string {
  return component.slice(component.indexOf('/') + 1);
}
