import type { Failure, Outcome } from '../../builds/failure.ts';
import { failed, ok } from '../../builds/result.ts';
import { isInnerPath } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Payload } from '../../product/product.ts';
import type { PayloadMetadata } from '../payload-artifact.ts';

/** Where a payload goes in kodata. */
export interface Placement {
  /** File, or for `copy` folder (`.` is kodata itself). */
  readonly path: string;
  readonly metadata: PayloadMetadata;
}

/** Reads `into` of a payload rule for a version: the path, and the folder that is replaced. */
export function placePayload(
  component: ComponentName,
  rule: Payload,
  version: string,
): Outcome<Placement> {
  const path = rule.into.replaceAll('{version}', version);
  if (rule.into.includes('{shipped}')) {
    return failed(badInto(component, rule.into, 'asks for {shipped}, which is not known'));
  }
  if (path !== '.' && !isInnerPath(path)) {
    return failed(badInto(component, rule.into, 'is not a path inside kodata'));
  }
  const folders = replacedFolder(rule, version);
  if (folders.replaces === '') {
    return failed(badInto(component, rule.into, 'is in no folder of its own'));
  }
  const keep = rule.keep.map((glob) => glob.replaceAll('{version}', version));
  return ok({ path, metadata: { component, ...folders, keep } });
}

type Replaced = Pick<PayloadMetadata, 'replaces' | 'version'>;

/** `tekton-pipeline/{version}/x.yaml` replaces `tekton-pipeline`; without a version, the file's own folder. */
function replacedFolder({ render, into }: Payload, version: string): Replaced {
  if (into === '.') return { replaces: null, version: null };
  const folders = into.split('/').slice(0, render === 'copy' ? undefined : -1);
  const at = folders.findIndex((folder) => folder.includes('{version}'));
  if (at < 0) return { replaces: folders.join('/'), version: null };
  const name = folders[at]?.replaceAll('{version}', version) ?? null;
  return { replaces: folders.slice(0, at).join('/'), version: name };
}

/** The text in which each marker's "devel" has become the version. */
export function replaceMarkers(text: string, markers: readonly string[], version: string): string {
  return markers.reduce(
    (result, marker) => result.replaceAll(marker, () => marker.replaceAll('devel', version)),
    text,
  );
}

function badInto(component: ComponentName, into: string, why: string): Failure {
  return {
    reason: 'bad-product',
    detail: `The payload of ${component} goes into ${into}, which ${why}.`,
    hint: `Mend \`payload.into\` of ${component} in product.yaml, for example \`tekton-pipeline/{version}/00-pipelines.yaml\`.`,
    about: { component, into },
  };
}
