import { type Failure, FailureError } from '../../builds/failure.ts';
import type { FileTree, TreeFile } from '../../plan/file-tree.ts';
import type { ComponentName, TreeSha } from '../../plan/names.ts';
import type { Mirror, PatchOutcome } from '../../resolve/git-interface.ts';
import { type BuilderContext, runInBuilder } from '../run-in-builder.ts';

/** A downstream patch that is a script. */
export interface PatchScript {
  readonly component: ComponentName;
  /** File name. */
  readonly patch: string;
  readonly content: Buffer;
  /** Base image that it runs in. */
  readonly image: string;
}

/** What a script makes of a tree; a script that changes nothing is contained, as a patch is. */
export type ScriptOutcome =
  | Exclude<PatchOutcome, { readonly kind: 'conflict' }>
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Runs a script in the sandbox, in a copy of a source; what it leaves there takes the source's place. */
export async function runPatchScript(
  { component, patch, content, image }: PatchScript,
  source: { readonly tree: TreeSha; readonly ref: string },
  mirror: Mirror,
  context: BuilderContext,
): Promise<ScriptOutcome> {
  const before = await mirror.files(source.tree);
  const script: TreeFile = { mode: '100644', content };
  try {
    const files: FileTree = await runInBuilder(
      {
        ...{ component, image, env: {}, source: before.files, keep: { folder: '.' } },
        beside: new Map([[patch, script]]),
        run: ['/bin/sh', `../beside/${patch}`],
      },
      context,
    );
    const tree = await mirror.replaceFiles(source.tree, files);
    return tree === source.tree ? { kind: 'contained' } : { kind: 'applied', tree };
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    const [failure] = error.failures;
    if (failure.reason !== 'command-failed') throw error;
    return { kind: 'failed', failure: asPatchFailure(component, patch, source.ref, failure) };
  }
}

function asPatchFailure(
  component: ComponentName,
  patch: string,
  ref: string,
  { about }: Failure,
): Failure {
  return {
    reason: 'patch-conflict',
    detail: `The downstream patch script ${patch} of ${component} fails on ${ref}.`,
    hint: `Its last lines tell why. Either the change has to leave alone what it works on, or the script has to follow it. To build without it: "patches": {"${component}": {"skip": ["${patch}"]}}.`,
    about: { ...about, component, patch, ref },
  };
}
