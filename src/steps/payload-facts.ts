import { koReferences } from '../payload/ko-references.ts';
import type { PayloadFacts } from '../plan/assemble-plan.ts';
import { type FileTree, gitTreeSha, readFile, type TreeFile } from '../plan/file-tree.ts';
import type { Payload } from '../product/product.ts';

/** Reads the files of a component: all, or those at or below some paths (`.` is all). */
export type ReadFiles = (paths?: readonly string[]) => Promise<FileTree>;

/** What a payload is rendered from, and which images it refers to. */
export async function readPayloadFacts(rule: Payload, read: ReadFiles): Promise<PayloadFacts> {
  const inputs = await readInputs(rule, read);
  return { inputs: gitTreeSha(inputs), references: koReferences(inputs) };
}

/** The files that a payload is rendered from; at least what its rule reaches. */
export async function readInputs(rule: Payload, read: ReadFiles): Promise<FileTree> {
  // A command and a kustomization can read anything in the component.
  if (rule.render === 'command' || rule.render === 'kustomize') return read();
  const files = await read(rule.inputs.map(({ path }) => path));
  const chosen = selectInputs(files, rule);
  const hasLinks = [...files.values()].some(({ mode }) => mode === '120000');
  const isComplete = rule.inputs.every(({ path }) => path === '.' || covers(files, path));
  if (!hasLinks && isComplete) return chosen;
  // Links are followed, in or out of the inputs: then what is behind them counts.
  const whole = await read();
  return isComplete ? withoutLinks(chosen, whole) : whole;
}

function covers(files: FileTree, path: string): boolean {
  return files.has(path) || [...files.keys()].some((name) => name.startsWith(`${path}/`));
}

/** The files that the rule's walk can reach. */
function selectInputs(
  files: FileTree,
  rule: Extract<Payload, { render: 'ko' | 'copy' }>,
): FileTree {
  const reaches = rule.inputs.map(({ path, recursive }) => {
    const prefix = path === '.' ? '' : `${path}/`;
    // `copy` takes all of a folder.
    const deep = recursive || rule.render === 'copy';
    return (name: string) =>
      name === path ||
      (name.startsWith(prefix) && (deep || !name.slice(prefix.length).includes('/')));
  });
  return new Map([...files].filter(([name]) => reaches.some((reaches) => reaches(name))));
}

/** Each link as the file that it leads to; one that leads to no file stays as it is. */
function withoutLinks(chosen: FileTree, whole: FileTree): FileTree {
  const result = new Map<string, TreeFile>();
  for (const [path, file] of chosen) {
    if (file.mode !== '120000') result.set(path, file);
    else {
      const target = readFile(whole, path);
      // A folder behind a link: everything counts.
      if (target === undefined) return whole;
      result.set(path, target);
    }
  }
  return result;
}
