import { isMap } from 'yaml';
import type { Failure, Outcome } from '../../builds/failure.ts';
import { failed, ok } from '../../builds/result.ts';
import { type FileTree, subtree, type TreeFile } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import { longestManifest, parseDocuments } from '../../plan/yaml-documents.ts';

/** Whether a generated bundle folder can be used: plain files, YAML that parses, exactly one CSV. */
export function checkManifests(
  component: ComponentName,
  folder: string,
  files: FileTree,
): Outcome<null> {
  const kinds = [...files].map(([path, file]) => ({ path, kinds: readKinds(path, file) }));
  const problems = kinds.flatMap(({ path, kinds }) =>
    typeof kinds === 'string' ? [`${path} ${kinds}`] : [],
  );
  const csvs = kinds.filter(
    ({ path, kinds }) =>
      path.startsWith('manifests/') &&
      typeof kinds !== 'string' &&
      kinds.includes('ClusterServiceVersion'),
  );
  if (subtree(files, 'manifests').size === 0) problems.push('it has no folder manifests');
  else if (csvs.length !== 1) {
    const count = csvs.length === 0 ? 'no' : 'more than one';
    problems.push(`manifests has ${count} ClusterServiceVersion`);
  }
  const [first, ...rest] = problems.map((problem) => bad(component, folder, problem));
  return first === undefined ? ok(null) : failed(first, ...rest);
}

/** The `kind` of each document of a file, or what is wrong with it. Nothing is expanded. */
function readKinds(path: string, { mode, content }: TreeFile): string[] | string {
  if (mode === '120000') return 'is a link';
  if (!/\.(ya?ml|json)$/.test(path)) return [];
  const parsed = parseDocuments(content.toString(), {
    schema: 'failsafe',
    longest: longestManifest,
  });
  if (!parsed.ok) {
    const [{ line, text }] = parsed.failures;
    return `cannot be read: line ${line}: ${text}`;
  }
  return parsed.value.documents.map(({ contents }) =>
    isMap(contents) ? String(contents.get('kind')) : '',
  );
}

function bad(component: ComponentName, folder: string, problem: string): Failure {
  return {
    reason: 'bad-bundle',
    detail: `The bundle that ${component} generated in ${folder} cannot be used: ${problem}.`,
    hint: "Run the component's generator in its source and mend what it makes, or `bundle.output` in product.yaml.",
    about: { component, folder },
  };
}
