/** One ratio of a benchmark: what was measured, against what, and what it must be. */
export interface Row {
  readonly id: string;
  readonly what: string;
  readonly against: string;
  /** The figure must be at least, or at most this. */
  readonly demand: 'at least' | 'at most';
  readonly limit: number;
  readonly figure: number;
  /** `x` for a ratio, else what the figure counts. */
  readonly unit: 'x' | 's' | 'MB';
  /** What the figure was made of, for people: `12.1 s, 1.9 s`. */
  readonly made: string;
}

/** Whether a figure is what it must be. */
export function holds({ demand, limit, figure }: Row): boolean {
  return demand === 'at least' ? figure >= limit : figure <= limit;
}

/** The middle of some figures; between the two in the middle where their number is even. */
export function median(figures: readonly number[]): number {
  return percentile(figures, 50);
}

/** The figure below which a part of all lies, in percent; between two of them, in proportion. */
export function percentile(figures: readonly number[], part: number): number {
  if (figures.length === 0) throw new Error('nothing was measured');
  const sorted = figures.toSorted((a, b) => a - b);
  const place = ((sorted.length - 1) * part) / 100;
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]] as [number, number];
  return below + (above - below) * (place - Math.floor(place));
}

/** The rows as a Markdown table. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    row.against,
    Number.isFinite(row.limit) ? `${row.demand} ${quantity(row.limit, row.unit)}` : '–',
    `${quantity(row.figure, row.unit)}${holds(row) ? '' : ' **falls short**'}`,
    row.made,
  ]);
  const all = [['what', 'against', 'asked', 'found', 'made of'], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = all;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...body.map(line)].join('\n');
}

function quantity(figure: number, unit: Row['unit']): string {
  const digits = figure < 10 ? 2 : figure < 100 ? 1 : 0;
  return unit === 'x' ? `${figure.toFixed(digits)} x` : `${figure.toFixed(digits)} ${unit}`;
}

/** Milliseconds as seconds, for people. */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}
