import { z } from 'zod';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { type FileTree, readText, resolvePath, subtree } from '../plan/file-tree.ts';
import type { ComponentName } from '../plan/names.ts';
import { dataOf, parseOnly } from '../plan/yaml-documents.ts';

/**
 * Refuses what kustomize would fetch or run (remote bases, Helm charts), here and in every folder that is
 * reached: said clearly, instead of a time-out in a namespace without network.
 */
export function checkKustomization(
  component: ComponentName,
  tree: FileTree,
  path: string,
): Outcome<null> {
  const failures: Failure[] = [];
  const seen = new Set<string>();
  const pending = [path];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const resolved = resolvePath(tree, folder);
    if (resolved === undefined || seen.has(resolved)) continue;
    seen.add(resolved);
    const { problems, folders } = checkFolder(tree, resolved);
    for (const why of problems) failures.push(bad(component, folder, why));
    pending.push(...folders);
  }
  const [first, ...rest] = failures;
  return first === undefined ? ok(null) : failed(first, ...rest);
}

function checkFolder(tree: FileTree, folder: string): { problems: string[]; folders: string[] } {
  const found = readKustomization(tree, folder);
  if (found === undefined) return { problems: ['it has no kustomization.yaml'], folders: [] };
  const problems = forbidden(found);
  const folders: string[] = [];
  for (const base of bases(found)) {
    const inner = resolvePath(tree, `${folder}/${base}`);
    if (inner === undefined || !exists(tree, inner)) {
      problems.push(`it names ${base}, which is not in the component`);
    } else if (!tree.has(inner)) folders.push(inner);
  }
  return { problems, folders };
}

const names = z.array(z.string()).nullish();
const Kustomization = z.looseObject({ resources: names, bases: names, components: names });
type Kustomization = z.infer<typeof Kustomization>;

const fileNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];

function readKustomization(tree: FileTree, folder: string): Kustomization | undefined {
  for (const name of fileNames) {
    const text = readText(tree, folder === '' ? name : `${folder}/${name}`);
    if (text === undefined) continue;
    // What is not YAML, or a bomb of aliases, kustomize refuses with words of its own.
    const parsed = parseOnly(text, { duplicates: 'left alone' });
    const value = parsed.ok ? dataOf(parsed.value.document) : parsed;
    return (value.ok ? Kustomization.safeParse(value.value).data : undefined) ?? {};
  }
  return undefined;
}

function forbidden(kustomization: Kustomization): string[] {
  return ['helmCharts', 'helmChartInflationGenerator', 'helmGlobals']
    .filter((field) => field in kustomization)
    .map((field) => `it uses Helm (${field})`);
}

function bases({ resources, bases, components }: Kustomization): string[] {
  return [...(resources ?? []), ...(bases ?? []), ...(components ?? [])];
}

function exists(tree: FileTree, path: string): boolean {
  return path === '' || tree.has(path) || subtree(tree, path).size > 0;
}

function bad(component: ComponentName, folder: string, why: string): Failure {
  return {
    reason: 'bad-payload',
    detail: `The kustomization ${folder} of ${component} cannot be built: ${why}.`,
    hint: 'Remote bases, plugins and Helm are not supported: take the files into the component, or use `render: command`.',
    about: { component, folder },
  };
}
