import { cruise, type ICruiseResult } from 'dependency-cruiser';

/** Which folders of src/ import which, as a Mermaid graph; steps and adapters are one node each. */
export async function renderFolderGraph(): Promise<string> {
  const { output } = await cruise(['src'], {
    exclude: { path: '[.]test[.]ts$|[.]contract[.]ts$' },
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
  });
  const edges = new Set<string>();
  for (const { source, dependencies } of (output as ICruiseResult).modules) {
    for (const { resolved } of dependencies) {
      const [from, to] = [folderOf(source), folderOf(resolved)];
      if (from !== undefined && to !== undefined && from !== to) edges.add(`  ${from} --> ${to}`);
    }
  }
  return ['```mermaid', 'graph LR', ...[...edges].sort(), '```'].join('\n');
}

/** `src/steps/image/run-image.ts` → `steps`; entry points are named by their file. */
function folderOf(path: string): string | undefined {
  const [root, first] = path.split('/');
  return root === 'src' ? first?.replace(/[.]ts$/, '') : undefined;
}
