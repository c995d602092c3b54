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
  const { replaces, versioned } = replacedFolder(rule);
  if (replaces === '') return failed(badInto(component, rule.into, 'is in no folder of its own'));
  const keep = rule.keep.map((glob) => glob.replaceAll('{version}', version));
  const metadata = { component, replaces, version: versioned ? version : null, keep };
  return ok({ path, metadata });
}

/** `tekton-pipeline/{version}/x.yaml` replaces `tekton-pipeline`; without a version, the file's own folder. */
function replacedFolder({ render, into }: Payload): {
  replaces: string | null;
  versioned: boolean;
} {
  if (into === '.') return { replaces: null, versioned: false };
  const parts = into.split('/');
  const at = parts.findIndex((part) => part.includes('{version}'));
  if (at >= 0) return { replaces: parts.slice(0, at).join('/'), versioned: true };
  return {
    replaces: parts.slice(0, render === 'copy' ? undefined : -1).join('/'),
    versioned: false,
  };
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
