import { FailureError } from '../builds/failure.ts';
import type { Result } from '../builds/result.ts';
import { dataOf, longestManifest, parseOnly, type YamlProblem } from '../plan/yaml-documents.ts';

/**
 * The value of a YAML document as Kubernetes and OLM read it (sigs.k8s.io/yaml): by YAML 1.1, where `no` is
 * false and 010 is 8, but with dates and times (`1:30`) as the text that they are. Throws FailureError `bad-bundle`
 * where it cannot be read; `file` names it.
 */
export function parseKubernetesYaml(text: string, file: string): unknown {
  const parsed = parse(text);
  if (parsed.ok) return parsed.value;
  const [{ line, text: why }] = parsed.failures;
  throw new FailureError({
    reason: 'bad-bundle',
    detail: `The bundle cannot be read: ${file}:${line}: ${why}.`,
    hint: "Mend the manifest in the operator's repository, or in `bundle.from` of the product.",
    about: { file },
  });
}

function parse(text: string): Result<unknown, YamlProblem> {
  const parsed = parseOnly(text, {
    version: '1.1',
    longest: longestManifest,
    customTags: (tags) =>
      tags.filter(
        (tag) =>
          typeof tag === 'string' ||
          (tag.tag !== 'tag:yaml.org,2002:timestamp' &&
            !('format' in tag && tag.format === 'TIME')),
      ),
  });
  return parsed.ok ? dataOf(parsed.value.document) : parsed;
}
