import { type Failure, mayPass, reasons } from '../builds/failure.ts';
import {
  type FileTree,
  placedIn,
  readText,
  subtree,
  textFile,
  withFiles,
} from '../plan/file-tree.ts';
import type { Digest } from '../plan/names.ts';
import type { Plan } from '../plan/plan.ts';
import { readArtifact, writeArtifact } from './artifact.ts';
import { artifactRepository, type Registry } from './step.ts';
import { type DatedMessage, messagesFile, parseMessages } from './task-output.ts';

/** The task of a unit: those of numbered units are `images-000`, `images-001`, … */
export function taskName(unit: string): string {
  return /^\d/.test(unit) ? `images-${unit}` : unit;
}

/** What is known of the steps of a task that is over: the truth, when its pod is gone. */
export interface TaskOutcome {
  /** Everything that its steps told, in order. */
  readonly messages: readonly DatedMessage[];
  /** Logs by file name: the step with `/` as `~`, and `.log`. */
  readonly logs: FileTree;
}

/**
 * `REMOTE/tributary:run-<UID of the PipelineRun>.<task>`: where the outcome of a task is (`prepare`, {@link taskName}, `assemble`, `report`). Not by the
 * run's name: that comes again where a run was removed, and on another cluster with the same remote.
 */
export function outcomeReference(
  plan: { readonly lock: Plan['lock'] },
  run: string,
  task: string,
): string {
  return `${artifactRepository(plan)}:run-${run}.${task}`;
}

/** The failures of its step that failed first; undefined: none did. */
function failuresOf({ messages }: TaskOutcome): readonly [Failure, ...Failure[]] | undefined {
  const failed = messages.find((message) => message.kind === 'step-failed');
  const [first, ...rest] = failed?.kind === 'step-failed' ? failed.failures : [];
  return first && [first, ...rest];
}

/** The exit code of a task whose step failed; undefined: none did. */
export function exitOf(outcome: TaskOutcome): number | undefined {
  const failures = failuresOf(outcome);
  return failures && reasons[failures[0].reason].exit;
}

/** Whether it failed by what was to be built: then a further try is of no use. */
export function isFinal(outcome: TaskOutcome): boolean {
  const failures = failuresOf(outcome);
  return failures !== undefined && !failures.some(mayPass);
}

/** Keeps an outcome in the registry. */
export function writeOutcome(
  registry: Registry,
  workdir: string,
  reference: string,
  { messages, logs }: TaskOutcome,
): Promise<Digest> {
  const lines = messages.map((message) => `${JSON.stringify(message)}\n`).join('');
  const files = withFiles(new Map([[messagesFile, textFile(lines)]]), placedIn('logs', logs));
  return writeArtifact(registry, workdir, reference, { kind: 'outcome', metadata: null, files });
}

/** The outcome of a task; undefined where there is none (yet, or because its pod was lost). */
export async function readOutcome(
  registry: Registry,
  reference: string,
): Promise<TaskOutcome | undefined> {
  const artifact = await readArtifact(registry, reference);
  if (artifact?.kind !== 'outcome') return undefined;
  const { files } = artifact;
  return {
    messages: parseMessages(readText(files, messagesFile) ?? ''),
    logs: subtree(files, 'logs'),
  };
}
