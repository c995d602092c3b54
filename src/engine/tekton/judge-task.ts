import type { Failure } from '../../builds/failure.ts';
import { type TaskView, taskNameOf } from './attempt-view.ts';
import type { ClusterRun } from './cluster.ts';
import { taskNames } from './render-tasks.ts';

/** What became of a step whose pod ended without a word about it. */
export function judgeTask(view: TaskView, step: string): Failure {
  const { task, trouble, messages } = view;
  const lines = view.lastLines(step);
  const name = taskNameOf(task);
  const { reason = '', message = '' } = task.condition ?? {};
  const said = [message, trouble].filter((text) => text !== undefined && text !== '').join('; ');
  const about = {
    ...{ task: task.name, ...(task.pod !== undefined && { pod: task.pod }), reason },
    ...(lines.length > 0 && { 'last lines': lines }),
  };
  const look = `kubectl describe taskrun ${task.name}`;
  if (reason === 'TaskRunTimeout')
    return {
      reason: 'step-timeout',
      detail: `The task ${name}, in which ${step} runs, took longer than it may, and was ended${place(messages)}.`,
      hint: `Look at its log for what it waits for; \`tekton: {tasks: {${task.task}: {timeout-minutes: …}}}\` in the configuration allows more time.`,
      about,
    };
  if (isOutOfMemory(view))
    return {
      reason: 'step-crashed',
      detail: `The container of the step ${step} was ended, for it used more memory than it may.`,
      hint: `Give it more: ${moreMemory(task)}. Then ask for the build again: what was finished is reused.`,
      about,
    };
  if (/[Ii]mage ?[Pp]ull|ErrImage|InvalidImageName/.test(`${reason} ${said}`))
    return {
      reason: 'run-refused',
      detail: `The pod of the task ${name} cannot pull its image: ${short(said)}`,
      hint: 'Name an image that the cluster can pull: `tekton: {image: …}` in the configuration.',
      about,
    };
  return {
    reason: 'step-crashed',
    detail: `The pod of the step ${step} was lost before the step had a result: ${short(said === '' ? reason : said)}`,
    hint: `Ask for the build again: what was finished is reused. If it happens again, see what the cluster says: \`${look}\`.`,
    about,
  };
}

/** Whether a container was ended for the memory that it took: as Tekton says since 1.15 (`StepOOM`), or the pod. */
export function isOutOfMemory({ task: { condition }, trouble = '' }: TaskView): boolean {
  const { reason = '', message = '' } = condition ?? {};
  return /OOM$|OOMKilled/.test(reason) || /OOMKilled/.test(`${message} ${trouble}`);
}

/** What gives the container more memory that was ended for it: the configuration is about the one that does the work. */
function moreMemory({ task, steps }: TaskView['task']): string {
  const ended = steps.find(({ reason }) => reason === 'OOMKilled')?.name;
  return ended === 'fetch' || ended === 'push'
    ? `a patch of \`computeResources\` of the step \`${ended}\` of the Task ${taskNames.unit}, in your overlay`
    : `\`tekton: {tasks: {${task}: {limits: {memory: …}}}}\` in the configuration`;
}

/** Why a run failed in which no step did. */
export function judgeRun({ name, condition }: ClusterRun): Failure {
  const { reason = '', message = '' } = condition ?? {};
  const timedOut = reason === 'PipelineRunTimeout';
  const missing = /^(CouldntGet|.*Invalid|.*Missing|ParameterTypeMismatch)/.test(reason);
  return {
    reason: 'run-refused',
    detail: `The cluster did not run the build to its end: ${short(message === '' ? reason : message)}`,
    hint: timedOut
      ? 'Ask for the build again: what was finished is reused.'
      : missing
        ? 'Install the Tasks and the Pipeline of the version of the service that runs: `kubectl apply -k deploy/…`. Then ask for the build again.'
        : `See what the cluster says: \`kubectl describe pipelinerun ${name}\`. Then ask for the build again.`,
    about: { pipelinerun: name, reason },
  };
}

/** A run that somebody removed while it ran. */
export function removedRun(name: string): Failure {
  return {
    reason: 'run-deleted',
    detail: `The PipelineRun ${name} was removed from the cluster before it was over.`,
    hint: 'Ask for the build again: what was finished is reused.',
    about: { pipelinerun: name },
  };
}

/** Where it was, for whoever has not seen it. */
function place(messages: TaskView['messages']): string {
  const last = messages.findLast(({ kind }) => kind === 'step-progress');
  return last?.kind === 'step-progress' ? ` while it said: ${last.text}` : '';
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return `${line.length > 500 ? `${line.slice(0, 500)} …` : line.replace(/\.$/, '')}.`;
}
