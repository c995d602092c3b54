import { expect, test } from 'vitest';
import { parseKubernetesYaml } from './kubernetes-yaml.ts';

test.for<[string, unknown]>([
  ['no', false],
  ['on', true],
  ['"no"', 'no'],
  ['010', 8],
  ['1.7', 1.7],
  ['1.7.0', '1.7.0'],
  ['2026-01-15T00:00:00Z', '2026-01-15T00:00:00Z'],
  ['2026-01-15', '2026-01-15'],
  ['1:30', '1:30'],
  ['{<<: {a: 1}, b: 2}', { a: 1, b: 2 }],
  ['', null],
])('%s is read as Kubernetes reads it', ([text, value]) => {
  expect(parseKubernetesYaml(text, 'x.yaml')).toEqual(value);
});
