import { isMap, parseAllDocuments } from 'yaml';
import type { Failure, Outcome } from '../../builds/failure.ts';
import { failed, ok } from '../../builds/result.ts';
import { type FileTree, subtree } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';

/** Whether a generated bundle folder can be used: plain files, YAML that parses, exactly one CSV. */
export function checkManifests(
  component: ComponentName,
  folder: string,
  files: FileTree,
): Outcome<null> {
  const problems: string[] = [];
  const csvs: string[] = [];
  for (const [path, file] of files) {
    if (file.mode === '120000') problems.push(`${path} is a link`);
    else if (/\.(ya?ml|json)$/.test(path)) {
      const kinds = readKinds(file.content.toString());
      if (typeof kinds === 'string') problems.push(`${path}: ${kinds}`);
      else if (path.startsWith('manifests/') && kinds.includes('ClusterServiceVersion'))
        csvs.push(path);
    }
  }
  if (subtree(files, 'manifests').size === 0) problems.push('it has no folder manifests');
  else if (csvs.length !== 1) {
    problems.push(
      `manifests has ${csvs.length === 0 ? 'no' : 'more than one'} ClusterServiceVersion`,
    );
  }
  const [first, ...rest] = problems.map((problem) => bad(component, folder, problem));
  return first === undefined ? ok(null) : failed(first, ...rest);
}

/** The `kind` of each document, or why the text is not YAML. Nothing is expanded. */
function readKinds(text: string): string[] | string {
  try {
    const documents = parseAllDocuments(text, { schema: 'failsafe', logLevel: 'silent' });
    const [error] = documents.flatMap(({ errors }) => errors);
    if (error !== undefined) return `it is not YAML: ${error.message.split('\n')[0]}`;
    return documents.map(({ contents }) => (isMap(contents) ? String(contents.get('kind')) : ''));
  } catch (error) {
    // The parser is recursive: deep nesting exhausts the stack.
    if (error instanceof RangeError) return 'it is nested too deeply';
    throw error;
  }
}

function bad(component: ComponentName, folder: string, problem: string): Failure {
  return {
    reason: 'bad-bundle',
    detail: `The bundle that ${component} generated in ${folder} cannot be used: ${problem}.`,
    hint: "Run the component's generator in its source and mend what it makes, or `bundle.output` in product.yaml.",
    about: { component, folder },
  };
}
