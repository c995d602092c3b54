import { type FileTree, readText } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';

/** One component inside another, by something else than a ref of the request. */
interface CarriedModule {
  readonly carried: ComponentName;
  readonly carrier: ComponentName;
  /** `Go module github.com/tektoncd/pipeline v1.2.0`. */
  readonly as: string;
}
export type CarriedModules = readonly CarriedModule[];

/** Components that others require in go.mod, vendor or name in .gitmodules: code that a ref does not change there. */
export function carriedModules(sources: ReadonlyMap<ComponentName, FileTree>): CarriedModules {
  const modules = [...sources].map(([name, files]) => ({ name, module: moduleOf(files) }));
  return [...sources].flatMap(([carrier, files]) =>
    modules
      .filter(({ name }) => name !== carrier)
      .flatMap(({ name, module }) => {
        const as = requirement(files, module) ?? submodule(files, name);
        return as === undefined ? [] : [{ carried: name, carrier, as }];
      }),
  );
}

function moduleOf(files: FileTree): string | undefined {
  return /^module\s+"?([^\s"]+)/m.exec(readText(files, 'go.mod') ?? '')?.[1];
}

function requirement(files: FileTree, module: string | undefined): string | undefined {
  if (module === undefined) return undefined;
  const lines = (readText(files, 'go.mod') ?? '').split('\n').map((line) => line.trim());
  for (const line of lines) {
    const [name, version] = line.replace(/^require\s+/, '').split(/\s+/);
    if (name === module && /^v\d/.test(version ?? '')) return `Go module ${name} ${version}`;
  }
  return undefined;
}

function submodule(files: FileTree, name: ComponentName): string | undefined {
  const urls = (readText(files, '.gitmodules') ?? '').matchAll(/^\s*url\s*=\s*(\S+)/gm);
  const found = [...urls].find(([, url]) => url?.replace(/(\.git)?\/?$/, '').endsWith(`/${name}`));
  return found === undefined ? undefined : `submodule ${found[1]}`;
}
