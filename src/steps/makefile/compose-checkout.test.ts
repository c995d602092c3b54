import { expect, test } from 'vitest';
import { pipeline, smallProduct, tree } from '../../../test/support/small-product.ts';
import { sortedPaths } from '../../plan/file-tree.ts';
import type { PatchReport } from '../../plan/plan.ts';
import { composeCheckout } from './compose-checkout.ts';

const component = smallProduct.components[pipeline];
const product = {
  ...smallProduct,
  components: {
    ...smallProduct.components,
    [pipeline]: { ...component, patches: { dir: 'patches/pipeline', 'applied-by': 'tributary' } },
  },
} as typeof smallProduct;
const report = (patch: string, outcome: PatchReport['outcome']): PatchReport => ({
  ...{ component: pipeline, patch, outcome, by: 'tributary' },
});

test('pins the sources of this build, holds its bundle, and lacks patches that are not to be applied', () => {
  const files = tree({
    Makefile: 'all:\n',
    'bundle/Dockerfile': 'FROM scratch\n',
    'bundle/manifests/csv.yaml': 'old',
    'bundle/manifests/gone.yaml': 'old',
    'bundle/metadata/annotations.yaml': 'old',
    'patches/pipeline/1.patch': '',
    'patches/pipeline/2.patch': '',
    'patches/pipeline/3.patch': '',
    'upstream_sources.yaml': 'old',
  });
  const checkout = composeCheckout(
    files,
    {
      product,
      patches: [
        report('1.patch', 'applied'),
        report('2.patch', 'contained'),
        report('3.patch', 'bypassed'),
      ],
      upstreamSources: 'new',
    },
    { files: tree({ 'manifests/csv.yaml': 'new', 'metadata/annotations.yaml': 'new' }) },
  );
  expect(sortedPaths(checkout)).toEqual([
    'Makefile',
    'bundle/Dockerfile',
    'bundle/manifests/csv.yaml',
    'bundle/metadata/annotations.yaml',
    'patches/pipeline/1.patch',
    'upstream_sources.yaml',
  ]);
  expect(checkout.get('bundle/manifests/csv.yaml')?.content.toString()).toBe('new');
  expect(checkout.get('upstream_sources.yaml')?.content.toString()).toBe('new');
});
