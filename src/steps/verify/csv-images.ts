import type { ProductImage } from '../../product/product.ts';
import { parseKubernetesYaml } from '../kubernetes-yaml.ts';

/** An image as the CSV of a finished bundle names it. */
export interface CsvImage {
  readonly kind: 'container' | 'env' | 'related';
  /** Of the container, variable or entry. */
  readonly name: string;
  readonly deployment: string | null;
  readonly reference: string;
}

type Node = Readonly<Record<string, unknown>>;

/**
 * Every image that a CSV names. Read anew from the text, by other means than those that wrote it: what
 * is checked must not be checked by itself.
 */
export function csvImages(text: string): CsvImage[] {
  const spec = node(node(parseKubernetesYaml(text, 'the CSV'))['spec']);
  const strategy = node(node(spec['install'])['spec']);
  const inDeployments = nodes(strategy['deployments']).flatMap((deployment) => {
    const pod = node(node(node(deployment['spec'])['template'])['spec']);
    const containers = [...nodes(pod['initContainers']), ...nodes(pod['containers'])];
    return containers.flatMap((container) => ofContainer(container, String(deployment['name'])));
  });
  const related = nodes(spec['relatedImages']).map((entry) => ({
    kind: 'related' as const,
    name: String(entry['name']),
    deployment: null,
    reference: String(entry['image']),
  }));
  return [...inDeployments, ...related];
}

function ofContainer(container: Node, deployment: string): CsvImage[] {
  const name = String(container['name']);
  const reference = String(container['image']);
  const variables = nodes(container['env']).filter(({ value }) => typeof value === 'string');
  return [
    { kind: 'container', name, deployment, reference },
    ...variables.map((variable) => ({
      kind: 'env' as const,
      name: String(variable['name']),
      deployment,
      reference: String(variable['value']),
    })),
  ];
}

/** Whether product.yaml says that this is where the image is named. */
export function isPlaceOf(image: CsvImage, { csv }: Pick<ProductImage, 'csv'>): boolean {
  switch (image.kind) {
    case 'env':
      return csv.env.includes(image.name);
    case 'related':
      return csv.env.includes(image.name) || csv.related.includes(image.name);
    case 'container': {
      const here = csv.deployment === undefined || csv.deployment === image.deployment;
      return here && (csv.containers.includes('*') || csv.containers.includes(image.name));
    }
  }
}

/** Whether a variable's value is an image reference rather than anything else. */
export function looksLikeImage({ kind, name, reference }: CsvImage): boolean {
  if (kind !== 'env') return true;
  if (/@sha256:[0-9a-f]{64}$/.test(reference)) return true;
  return /^(RELATED_)?IMAGE_/.test(name) && /[/@:]/.test(reference);
}

function node(value: unknown): Node {
  return typeof value === 'object' && value !== null ? (value as Node) : {};
}

function nodes(value: unknown): Node[] {
  return Array.isArray(value) ? value.map(node) : [];
}
