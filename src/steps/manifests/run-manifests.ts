import { demand } from '../../builds/failure.ts';
import { keyedArtifact } from '../keyed-artifact.ts';
import { readSource } from '../read-source.ts';
import { runInBuilder } from '../run-in-builder.ts';
import type { StepProgram } from '../step.ts';
import { checkManifests } from './check-manifests.ts';

/**
 * Runs the operator's own generator, which is code of the ref, and keeps the folder that it leaves
 * (`manifests/` with CSV, CRDs and RBAC) as an artifact.
 */
export const runManifests: StepProgram<'manifests'> = async (step, context) => {
  if (step.key === null) throw new Error(`${step.id} has no key`);
  const { component } = step;
  const rule = context.plan.product.components[component]?.bundle;
  if (rule === undefined) throw new Error(`${component} generates no bundle`);
  const made = await keyedArtifact(step.key, context, async () => {
    const source = await readSource(component, context);
    const { run, image, env, output } = rule;
    context.progress(`running ${run.join(' ')}`);
    const keep = { folder: output };
    const files = await runInBuilder({ component, source, image, run, env, keep }, context);
    demand(checkManifests(component, output, files));
    context.log(`${component}: ${files.size} file(s) in ${output}`);
    return { kind: 'manifests', metadata: { component }, files };
  });
  return { kind: 'manifests', ...made };
};
