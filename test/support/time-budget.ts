/** What a suite may take of `make test`, from warm on two cores, and what it took: seconds. */
export interface SuiteTime {
  readonly suite: string;
  readonly took: number;
}

/** A test file and its seconds. */
export interface FileTime {
  readonly file: string;
  readonly took: number;
}

/** Seconds that each suite of `make test` may take: forty minutes in all, installing included. `long` has none. */
const budgets: Readonly<Record<string, number>> = {
  'static checks': 60,
  unit: 300,
  integration: 560,
  cluster: 180,
  e2e: 1120,
};

const filesShown = 8;

/**
 * The time budget of a run as lines: what each suite took of what it may take, and the files that took the
 * longest. A run that took longer is told so and passes: machines differ, and nobody should mend a slow one by a retry.
 */
export function renderTimeBudget(
  suites: readonly SuiteTime[],
  files: readonly FileTime[],
): readonly string[] {
  const rows = suites.map(({ suite, took }) => row(suite, took, budgets[suite]));
  const known = suites.filter(({ suite }) => suite in budgets);
  const total = known.reduce((sum, { took }) => sum + took, 0);
  const budget = known.reduce((sum, { suite }) => sum + (budgets[suite] ?? 0), 0);
  const longest = [...files].sort((a, b) => b.took - a.took).slice(0, filesShown);
  return [
    'time budget (seconds)          took    of',
    ...rows,
    ...(known.length > 1 ? [row('all', total, budget)] : []),
    ...(longest.length > 0 ? ['longest files'] : []),
    ...longest.map(({ file, took }) => `${took.toFixed(0).padStart(7)}  ${file}`),
  ];
}

function row(title: string, took: number, budget: number | undefined): string {
  const cells = `  ${title.padEnd(26)} ${took.toFixed(0).padStart(6)}`;
  if (budget === undefined) return cells;
  return `${cells} ${String(budget).padStart(5)}${took > budget ? '  over' : ''}`;
}
