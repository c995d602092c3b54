import type { Failure } from '../builds/failure.ts';
import { type FileTree, resolvePath, textFile } from '../plan/file-tree.ts';
import type { ComponentName } from '../plan/names.ts';
import { failureAt, type Locate } from '../product/place.ts';
import type { Payload, Product } from '../product/product.ts';
import { checkKustomization } from './check-kustomization.ts';
import { findInput } from './find-input.ts';
import { koReferences } from './ko-references.ts';
import { substituteReferences } from './substitute-references.ts';
import { walkInputs } from './walk-inputs.ts';

/**
 * Everything for which the payload of a component could not be rendered and that its files tell: inputs and programs
 * that are not there, references that no image answers. `source` holds at least what the rule reaches.
 */
export function payloadProblems(
  component: ComponentName,
  rule: Payload,
  source: FileTree,
  product: Product,
  locate: Locate,
): readonly Failure[] {
  const path = ['components', component, 'payload'];
  switch (rule.render) {
    case 'copy':
      return missingInputs(component, rule, source, locate);
    case 'ko':
      return [
        ...missingInputs(component, rule, source, locate),
        ...unknownReferences(component, rule, source, product),
      ];
    case 'kustomize': {
      const checked = checkKustomization(component, source, rule.path);
      if (checked.ok) return [];
      return checked.failures.map((failure) => failureAt(locate([...path, 'path']), failure));
    }
    case 'command':
      return programProblems(component, rule.run, source, [...path, 'run'], locate);
  }
}

/** Where the program of a command lies in the component: whether it is there, and may be run. */
export function programProblems(
  component: ComponentName,
  [program = '']: readonly string[],
  source: FileTree,
  path: readonly PropertyKey[],
  locate: Locate,
): readonly Failure[] {
  // Without a slash it is looked up in the image's PATH; with one at the start it is in the image itself.
  if (!program.includes('/') || program.startsWith('/')) return [];
  const found = resolvePath(source, program);
  const file = found === undefined ? undefined : source.get(found);
  if (file?.mode === '100755') return [];
  const failure = {
    reason: 'bad-payload',
    detail: `${component} has ${file === undefined ? 'no file' : 'a file that may not be run,'} ${program}.`,
    hint: `Correct \`${path.at(-1)?.toString()}\`, or ${file === undefined ? 'add the program to the component' : 'make it executable: git update-index --chmod=+x'}.`,
    about: { component, program },
  } as const;
  return [failureAt(locate(path), failure)];
}

function missingInputs(
  component: ComponentName,
  rule: Extract<Payload, { render: 'ko' | 'copy' }>,
  source: FileTree,
  locate: Locate,
): Failure[] {
  return rule.inputs.flatMap(({ path }, index) => {
    if (findInput(source, path) !== undefined) return [];
    const failure = {
      reason: 'bad-payload',
      detail: `the payload input ${path} does not exist in ${component}.`,
      hint: "Check that the ref has it, or mend the component's `payload.inputs`.",
      about: { component, input: path },
    } as const;
    return [failureAt(locate(['components', component, 'payload', 'inputs', index]), failure)];
  });
}

/** Reads closely only what may hold such a reference: parsing every manifest would take seconds. */
function unknownReferences(
  component: ComponentName,
  rule: Extract<Payload, { render: 'ko' }>,
  source: FileTree,
  { images }: Product,
): Failure[] {
  const known = Object.fromEntries(
    Object.values(images).flatMap(({ go }) =>
      go === undefined ? [] : [[go, 'registry.invalid/x']],
    ),
  );
  const there = rule.inputs.filter(({ path }) => findInput(source, path) !== undefined);
  const files = walkInputs(source, there);
  if (!files.ok) return [];
  return files.value.flatMap(({ path, text }) => {
    const named = koReferences(new Map([[path, textFile(text)]]));
    if ([...named].every((reference) => Object.hasOwn(known, reference))) return [];
    const outcome = substituteReferences(path, text, known);
    if (outcome.ok) return [];
    return outcome.failures.map((failure) => ({
      ...failure,
      about: { component, ...failure.about },
    }));
  });
}
