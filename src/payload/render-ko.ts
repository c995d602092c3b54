import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree } from '../plan/file-tree.ts';
import type { Input } from './find-input.ts';
import { joinDocuments } from './join-documents.ts';
import { type Images, substituteReferences } from './substitute-references.ts';
import { walkInputs } from './walk-inputs.ts';

/** What `ko resolve -f INPUT…` prints, document for document, without compiling anything. */
export function renderKo(
  source: FileTree,
  inputs: readonly Input[],
  images: Images,
): Outcome<string> {
  const files = walkInputs(source, inputs);
  if (!files.ok) return files;
  if (files.value.length === 0) return failed(empty(inputs));
  const texts: string[] = [];
  const failures: Failure[] = [];
  for (const { path, text: original } of files.value) {
    const text = substituteReferences(path, original, images);
    if (text.ok) texts.push(text.value);
    else failures.push(...text.failures);
  }
  const [first, ...rest] = failures;
  return first === undefined ? ok(joinDocuments(texts)) : failed(first, ...rest);
}

function empty(inputs: readonly Input[]): Failure {
  const paths = inputs.map(({ path }) => path);
  return {
    reason: 'bad-payload',
    detail: `There is no .yaml or .json file in ${paths.join(', ')}.`,
    hint: 'Without `recursive: true`, only the folder itself is read: check `payload.inputs` in product.yaml.',
    about: { inputs: paths },
  };
}
