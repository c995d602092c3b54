import { FailureError } from '../../builds/failure.ts';
import { type FileTree, readText } from '../../plan/file-tree.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Payload } from '../../product/product.ts';
import { runInBuilder, stdoutFile } from '../run-in-builder.ts';
import type { StepContext } from '../step.ts';

/** What a command of the component prints. */
export async function renderCommand(
  component: ComponentName,
  source: FileTree,
  rule: Extract<Payload, { render: 'command' }>,
  version: string,
  context: StepContext,
): Promise<string> {
  const env = Object.fromEntries(
    Object.entries(rule.env).map(([name, value]) => [name, value.replaceAll('{version}', version)]),
  );
  const { image, run } = rule;
  context.progress(`running ${run.join(' ')}`);
  const files = await runInBuilder({ component, source, image, run, env, keep: 'stdout' }, context);
  const text = readText(files, stdoutFile) ?? '';
  if (text.trim() !== '') return text;
  throw new FailureError({
    reason: 'bad-payload',
    detail: `\`${run.join(' ')}\` of ${component} printed nothing.`,
    hint: 'It must print the payload on standard output. Mend it in the ref, or `payload.run` in product.yaml.',
    about: { component, command: run.join(' ') },
  });
}
