import { type BuildEvent, describeRetry } from '../../builds/event.ts';
import { unreachable } from '../../builds/result.ts';
import { renderDuration } from './duration.ts';
import { oneLine } from './text-width.ts';
import { watchBuild, watchEvent } from './watched-build.ts';

/** Writes each event of a build as a line, for pipes and CI logs; progress lines are left out. */
export function plainLines(tag: string, out: (text: string) => void): (event: BuildEvent) => void {
  const build = watchBuild(tag);
  return (event) => {
    watchEvent(build, event);
    const text = describe(
      event,
      build.steps.get('step' in event ? event.step : '')?.startedAt ?? null,
    );
    if (text === undefined) return;
    const since = Date.parse(event.at) - Date.parse(build.begunAt ?? event.at);
    out(`${renderDuration(since).padStart(7)}  ${text}\n`);
  };
}

function describe(event: BuildEvent, startedAt: string | null): string | undefined {
  const took =
    startedAt === null ? '' : ` in ${renderDuration(Date.parse(event.at) - Date.parse(startedAt))}`;
  switch (event.kind) {
    case 'queued':
      return event.attempt === 1 ? 'queued' : `queued, attempt ${event.attempt}`;
    case 'started':
      return 'started';
    case 'planned':
      return `planned: ${event.steps.length} steps`;
    case 'step-started':
      return `${event.step}: started`;
    case 'step-progress':
      return undefined;
    case 'step-retrying':
      return `${event.step}: ${oneLine(describeRetry(event))}`;
    case 'step-finished': {
      const { output } = event;
      const reused = output !== null && 'reused' in output && output.reused;
      return `${event.step}: ${reused ? 'reused' : `done${took}`}`;
    }
    case 'step-failed':
      return `${event.step}: failed${took}: ${oneLine(event.failures[0]?.detail ?? '')}`;
    case 'step-skipped':
      return `${event.step}: skipped`;
    case 'cancel-requested':
      return 'cancelling';
    case 'succeeded':
    case 'failed':
    case 'cancelled':
    case 'expired':
      return event.kind;
    default:
      return unreachable(event);
  }
}
