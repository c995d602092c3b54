import { stringify } from 'yaml';
import { Tekton } from '../../src/config/tekton.ts';
import { renderPipeline } from '../../src/engine/tekton/render-pipeline.ts';
import { renderTasks } from '../../src/engine/tekton/render-tasks.ts';

/** What `deploy/tekton` installs: file → YAML. */
export function renderTektonManifests(): Readonly<Record<string, string>> {
  const { pipeline } = Tekton.parse({ image: 'tributary' });
  return {
    'tasks.yaml': documents(renderTasks()),
    'pipeline.yaml': documents([renderPipeline(pipeline)]),
  };
}

function documents(manifests: readonly object[]): string {
  const note = '# Generated from the code by `make generate`: do not edit.\n';
  // Kubernetes reads YAML 1.1, in which a bare `yes` is no text.
  const texts = manifests.map((manifest) =>
    stringify(manifest, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }),
  );
  return `${note}${texts.join('---\n')}`;
}
