import { demand } from '../../builds/failure.ts';
import { renderCopy } from '../../payload/render-copy.ts';
import { renderKo } from '../../payload/render-ko.ts';
import { substituteReferences } from '../../payload/substitute-references.ts';
import { type FileTree, placedIn, textFile } from '../../plan/file-tree.ts';
import type { StepOf } from '../../plan/plan.ts';
import { keyedArtifact } from '../keyed-artifact.ts';
import { readSource } from '../read-source.ts';
import type { StepContext, StepProgram } from '../step.ts';
import { type Placement, placePayload, replaceMarkers } from './place-payload.ts';
import { renderCommand } from './render-command.ts';
import { renderKustomize } from './render-kustomize.ts';

/** Renders what a component contributes to the operator's kodata, as an artifact. */
export const runPayload: StepProgram<'payload'> = async (step, context) => {
  if (step.key === null) throw new Error(`${step.id} has no key`);
  const made = await keyedArtifact(step.key, context, async () => {
    const placement = demand(placePayload(step.component, step.rule, step.version));
    const source = await readSource(step.component, context);
    const files = await render(step, source, placement, context);
    context.log(`${step.component}: ${files.size} file(s) for ${placement.path}`);
    return { kind: 'payload', metadata: placement.metadata, files };
  });
  return { kind: 'payload', ...made };
};

async function render(
  step: StepOf<'payload'>,
  source: FileTree,
  placement: Placement,
  context: StepContext,
): Promise<FileTree> {
  const { rule, images, version } = step;
  if (rule.render === 'copy') {
    const { files, leftOut } = demand(renderCopy(source, rule.inputs));
    for (const link of leftOut) context.log(`left out ${link}: a link to nothing in the component`);
    return placedIn(placement.path, files);
  }
  const text = await renderText(step, source, context);
  // ko's own walk has replaced the references already, file by file, so that failures name the file.
  const resolved =
    rule.render === 'ko' ? text : demand(substituteReferences(outputOf(rule), text, images));
  return new Map([[placement.path, textFile(replaceMarkers(resolved, rule.markers, version))]]);
}

async function renderText(
  { component, rule, images, version }: StepOf<'payload'>,
  source: FileTree,
  context: StepContext,
): Promise<string> {
  switch (rule.render) {
    case 'ko':
      return demand(renderKo(source, rule.inputs, images));
    case 'kustomize':
      return renderKustomize(component, source, rule.path, context);
    case 'command':
      return renderCommand(component, source, rule, version, context);
    case 'copy':
      throw new Error('copy renders no text');
  }
}

function outputOf(rule: StepOf<'payload'>['rule']): string {
  if (rule.render === 'command') return `output of ${rule.run.join(' ')}`;
  return rule.render === 'kustomize' ? `output of kustomize build ${rule.path}` : 'output';
}
