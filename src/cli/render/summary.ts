import type { Install } from '../../api/answers.ts';
import type { Build, BuiltImage } from '../../builds/build.ts';
import { renderFailures } from '../print-failures.ts';
import { renderBetween } from './duration.ts';
import type { Style } from './style.ts';
import { renderTable } from './table.ts';

/** How much of a build is shown. */
export interface SummaryOptions {
  readonly style: Style;
  /** Digests by their first 12 hex digits, so that lines fit a terminal. */
  readonly short: boolean;
  /** Each place with how it was proven. */
  readonly proofs: boolean;
}

/** What came of a build, for people; `install` where it succeeded. */
export function renderSummary(
  build: Build,
  install: Install | undefined,
  options: SummaryOptions,
): string {
  const { style } = options;
  return [
    headline(build, style),
    readings(build),
    build.failure === null ? '' : failureOf(build, style),
    build.state === 'succeeded' ? made(build, options) : '',
    inclusion(build, options),
    patches(build),
    unpullable(build, style),
    unrecorded(build, style),
    install === undefined ? '' : commands(install),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function headline(build: Build, style: Style): string {
  const color =
    build.state === 'succeeded' ? style.green : build.state === 'failed' ? style.red : style.yellow;
  const time =
    build.startedAt !== null && build.finishedAt !== null
      ? ` in ${renderBetween(build.startedAt, build.finishedAt)}`
      : '';
  const queue = build.queuePosition === null ? '' : `, number ${build.queuePosition} in the queue`;
  const again = build.attempt === 1 ? '' : `, attempt ${build.attempt}`;
  return `${style.bold(build.tag)}  ${color(build.state)}${time}${queue}${again}  (${build.pipelinerun})\n`;
}

function readings(build: Build): string {
  const rows = Object.entries(build.components).map(([component, reading]) => {
    const base = reading.base === undefined ? '' : ` with ${reading.base.branch}`;
    return [`  ${component}`, reading.ref, `${reading.as}${base}`, reading.commit.slice(0, 12)];
  });
  return rows.length === 0 ? '' : `Refs\n${renderTable(rows)}`;
}

function failureOf(build: Build, style: Style): string {
  if (build.failure === null) return '';
  const { failure } = build;
  const where = failure.step === null ? '' : ` in ${failure.step}`;
  const log =
    failure.step === null ? '' : `  Its log: tributary logs ${build.tag} ${failure.step}\n`;
  return `Failed${where} (${failure.reason}; whose it is: ${failure.owner})\n${renderFailures([failure], style)}${log}`;
}

function made(build: Build, { short }: SummaryOptions): string {
  const digest = (whole: string | null) =>
    whole === null ? '' : short ? whole.slice(0, 'sha256:'.length + 12) : whole;
  const row = (image: BuiltImage) => [
    `  ${image.name}`,
    image.reused ? 'reused' : 'built',
    digest(image.digest),
  ];
  const [first] = build.images;
  // All are named alike: saying it once keeps the lines short.
  const where =
    first === undefined ? '' : `  ${first.image.replace(`/${first.name}:`, '/<name>:')}`;
  return `Images${where}\n${renderTable(build.images.map(row))}${renderTable([
    ['Bundle', build.bundle.image, digest(build.bundle.digest)],
    ['Index', build.index.image, digest(build.index.digest)],
  ])}`;
}

function inclusion({ tag, inclusion: places }: Build, { proofs }: SummaryOptions): string {
  if (places.length === 0) return '';
  const lines = renderTable(
    places.map((place) => [
      `  ${place.component}`,
      place.place,
      place.commit.slice(0, 12),
      outcomeOf(place),
    ]),
  );
  if (!proofs)
    return `What is in the bundle\n${lines}How it was proven: tributary status ${tag} --verbose\n`;
  const proven = lines
    .trimEnd()
    .split('\n')
    .map((line, at) => `${line}\n    ${places[at]?.proof}\n`);
  return `What is in the bundle\n${proven.join('')}`;
}

function outcomeOf({ outcome, requested }: Build['inclusion'][number]): string {
  if (outcome === 'not-from-your-ref') return 'not from your ref';
  if (outcome === 'source-not-provable') return 'source not provable';
  return requested ? 'included' : 'as pinned';
}

function patches(build: Build): string {
  const rows = build.patches.map(({ component, patch, outcome, by }) => [
    `  ${component}`,
    patch,
    outcome === 'applied'
      ? `applied by ${by === 'tributary' ? 'Tributary' : 'the Dockerfile'}`
      : outcome,
  ]);
  return rows.length === 0 ? '' : `Patches\n${renderTable(rows)}`;
}

function unpullable(build: Build, style: Style): string {
  const rows = build.unpullable.map(
    ({ image, how, remedy }) => `  ${image}: not ${how}. ${remedy}\n`,
  );
  return rows.length === 0 ? '' : `${style.yellow('A cluster could not pull')}\n${rows.join('')}`;
}

/** The record does not decide how a build ends; that there is none is said. */
function unrecorded({ steps }: Build, style: Style): string {
  const failures = steps.flatMap(({ kind, failures }) =>
    kind === 'report' ? (failures ?? []) : [],
  );
  if (failures.length === 0) return '';
  return `${style.yellow('No record of it is kept')}\n${renderFailures(failures, style)}`;
}

function commands(install: Install): string {
  return [
    'Install, upgrade, remove',
    `  ${install.run}`,
    `  ${install.upgrade}`,
    `  ${install.cleanup}`,
    `By OLM, and more: tributary install ${install.tag}`,
    '',
  ].join('\n');
}
