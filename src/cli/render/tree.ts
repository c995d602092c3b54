import { renderDuration } from './duration.ts';
import type { Style } from './style.ts';
import { displayWidth, oneLine, truncate } from './text-width.ts';
import type { WatchedBuild, WatchedStep } from './watched-build.ts';

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** What a frame is drawn for. */
export interface Frame {
  readonly now: number;
  /** Counts frames: turns the spinner. */
  readonly count: number;
  readonly columns: number;
  readonly rows: number;
}

/**
 * The steps of a build as lines that fit the terminal: kinds with several steps are branches. Where
 * the terminal is too low, branches of which nothing runs or failed are folded, then lines are left out.
 */
export function renderTree(build: WatchedBuild, frame: Frame, style: Style): string[] {
  const head = headLine(build, frame);
  const height = Math.max(3, frame.rows - 1);
  let lines = branches(build, frame, () => true);
  if (lines.length + 1 > height) lines = branches(build, frame, isNotable);
  if (lines.length + 1 > height) {
    const hidden = lines.length + 2 - height;
    lines = [
      ...lines.slice(0, height - 2),
      { mark: ' ', text: `… ${hidden} more`, state: 'waiting', aside: '', note: '' },
    ];
  }
  const longest = Math.max(0, ...lines.map(({ text }) => displayWidth(text)));
  // At least a third of the line stays for times and progress.
  const column = Math.min(longest, Math.floor((frame.columns * 2) / 3));
  return [
    style.bold(truncate(head, frame.columns - 1)),
    ...lines.map((line) => paint(line, column, frame, style)),
  ];
}

interface Line {
  readonly mark: string;
  readonly text: string;
  readonly state: WatchedStep['state'];
  /** Elapsed time or counts. */
  readonly aside: string;
  /** The last line of progress. */
  readonly note: string;
}

function headLine(build: WatchedBuild, frame: Frame): string {
  const since =
    build.begunAt === null ? '' : ` ${renderDuration(frame.now - Date.parse(build.begunAt))}`;
  const again = build.attempt > 1 ? `, attempt ${build.attempt}` : '';
  return `${build.tag}  ${build.state}${again}${since}`;
}

function branches(
  build: WatchedBuild,
  frame: Frame,
  shown: (step: WatchedStep) => boolean,
): Line[] {
  const kinds = Map.groupBy(build.steps.values(), (step) => step.kind);
  return [...kinds].flatMap(([kind, steps]) => {
    const [only] = steps;
    if (steps.length === 1 && only !== undefined) return [lineOf(only, only.id, frame)];
    return [
      summaryOf(kind, steps, frame),
      ...steps
        .filter(shown)
        .map((step) => lineOf(step, `  ${step.id.slice(kind.length + 1)}`, frame)),
    ];
  });
}

function isNotable(step: WatchedStep): boolean {
  return step.state === 'running' || step.state === 'failed';
}

function lineOf(step: WatchedStep, text: string, frame: Frame): Line {
  const end = step.finishedAt === null ? frame.now : Date.parse(step.finishedAt);
  const elapsed = step.startedAt === null ? '' : renderDuration(end - Date.parse(step.startedAt));
  const aside = step.state === 'reused' ? 'reused' : step.state === 'skipped' ? 'skipped' : elapsed;
  const note = step.state === 'running' ? oneLine(step.progress) : '';
  return { mark: markOf(step.state, frame), text, state: step.state, aside, note };
}

function summaryOf(kind: string, steps: readonly WatchedStep[], frame: Frame): Line {
  const count = (state: WatchedStep['state']) =>
    steps.filter((step) => step.state === state).length;
  const done = count('succeeded') + count('reused');
  const state =
    count('failed') > 0
      ? 'failed'
      : done === steps.length
        ? 'succeeded'
        : count('running') > 0
          ? 'running'
          : 'waiting';
  const reused = count('reused') === 0 ? '' : `, ${count('reused')} reused`;
  return {
    mark: markOf(state, frame),
    text: kind,
    state,
    aside: `${done}/${steps.length}${reused}`,
    note: '',
  };
}

function markOf(state: WatchedStep['state'], frame: Frame): string {
  switch (state) {
    case 'succeeded':
    case 'reused':
      return '✔';
    case 'failed':
      return '✘';
    case 'running':
      return spinner[frame.count % spinner.length] ?? ' ';
    case 'skipped':
      return '–';
    default:
      return '·';
  }
}

function paint(line: Line, column: number, frame: Frame, style: Style): string {
  const color = {
    succeeded: style.green,
    reused: style.green,
    failed: style.red,
    running: style.cyan,
    skipped: style.dim,
    waiting: style.dim,
  }[line.state];
  // The last column stays free: some terminals wrap when it is written.
  const room = Math.max(0, frame.columns - 1 - 2);
  const width = Math.min(column, room);
  const name = truncate(line.text, width);
  const padded = name + ' '.repeat(Math.max(0, width - displayWidth(name)));
  const rest = truncate(
    `  ${line.aside.padStart(7)}${line.note === '' ? '' : `  ${line.note}`}`,
    room - displayWidth(padded),
  );
  return `${color(line.mark)} ${line.state === 'waiting' ? style.dim(padded) : padded}${style.dim(rest)}`.trimEnd();
}
