import { parse } from 'yaml';

/**
 * The value of a YAML document as Kubernetes and OLM read it (sigs.k8s.io/yaml): by YAML 1.1, where `no` is
 * false and 010 is 8, but with dates and times (`1:30`) as the text that they are.
 */
export function parseKubernetesYaml(text: string): unknown {
  return parse(text, {
    version: '1.1',
    customTags: (tags) =>
      tags.filter(
        (tag) =>
          typeof tag === 'string' ||
          (tag.tag !== 'tag:yaml.org,2002:timestamp' &&
            !('format' in tag && tag.format === 'TIME')),
      ),
  });
}
