import { stringify } from 'yaml';
import { type FileTree, placedIn, textFile, withFiles } from '../../plan/file-tree.ts';
import type { ComponentPayload } from '../assemble-kodata.ts';

/** Name of the components file in the folder that {@link renderComponents} makes. */
export const componentsFile = 'components.yaml';

/**
 * A payload as `fetch-payload` of an operator takes it (tektoncd/operator#641): a components file that says
 * for each component its version, the folder of kodata and its files, by paths of the file's own folder. What
 * lies below all others, the operator's own kodata, comes with the operator's source.
 */
export function renderComponents(payloads: readonly ComponentPayload[]): FileTree {
  const rendered = payloads.flatMap(({ metadata, files }) => {
    const { replaces: into, version, component } = metadata;
    if (into === null) return [];
    // `.` where the files lie in the folder itself.
    const prefix = version === null ? `${into}/` : `${into}/${version}/`;
    const name = shortName(component, payloads);
    const own = new Map([...files].map(([path, file]) => [path.replace(prefix, ''), file]));
    const paths = [...own.keys()].sort().map((path) => [path, `${name}/${path}`] as const);
    const entry = { version: version ?? '.', into, ...Object.fromEntries(paths) };
    return [{ name, entry, tree: placedIn(name, own) }];
  });
  const entries = Object.fromEntries(rendered.map(({ name, entry }) => [name, entry]));
  return withFiles(
    new Map([[componentsFile, textFile(stringify(entries, { lineWidth: 0 }))]]),
    ...rendered.map(({ tree }) => tree),
  );
}

/** The repository's name, where no other component has the same. */
function shortName(component: string, payloads: readonly ComponentPayload[]): string {
  const last = (name: string) => name.slice(name.indexOf('/') + 1);
  const same = payloads.filter(({ metadata }) => last(metadata.component) === last(component));
  return same.length === 1 ? last(component) : component.replace('/', '-');
}
