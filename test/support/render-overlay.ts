import { execFileSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Json } from './service.ts';
import { tool } from './tools.ts';

const checkout = join(import.meta.dirname, '../..');

/**
 * What `kubectl apply -k` of an overlay applies, with the demo's product, as docs/guides/install-on-a-cluster.md says; `edit` changes the files that it
 * says are to be edited.
 */
export function renderOverlay(
  overlay: 'kubernetes' | 'openshift' | 'knative',
  namespace = 'tributary',
  edit: (text: string) => string = (text) => text,
): readonly Json[] {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-deploy-'));
  try {
    cpSync(join(checkout, 'deploy'), folder, { recursive: true });
    const product = join(checkout, 'examples/demo/product.yaml');
    cpSync(product, join(folder, 'overlays/kubernetes/product.yaml'));
    const files = globSync(join(folder, 'overlays/*/*.yaml'));
    for (const file of files) {
      const text = readFileSync(file, 'utf8');
      writeFileSync(file, text.replaceAll('namespace: tributary', `namespace: ${namespace}`));
    }
    for (const name of ['config', 'kustomization']) {
      const file = join(folder, `overlays/kubernetes/${name}.yaml`);
      writeFileSync(file, edit(readFileSync(file, 'utf8')));
    }
    const text = execFileSync(tool('kustomize'), [
      'build',
      join(folder, 'overlays', overlay),
    ]).toString();
    return parseAllDocuments(text).map((document) => document.toJS() as Json);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
