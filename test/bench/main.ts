import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { answers } from './answers.ts';
import { cold, efficiency, warm } from './builds.ts';
import { clusterAnswers } from './cluster-answers.ts';
import { clusterBuilds, clusterUpstream } from './cluster-builds.ts';
import { clusterHistory } from './cluster-history.ts';
import { history } from './history.ts';
import { payload } from './payload.ts';
import { parseUpstream } from './real-upstream.ts';
import { sizes } from './sizes.ts';
import { holds, type Row, renderTable } from './table.ts';
import { type BenchWorld, say, startBenchWorld } from './world.ts';

/** Each measures one row or some that share their work. */
const measurements: Readonly<
  Record<
    string,
    (world: BenchWorld, repeats: number, upstream: string | undefined) => Promise<Row[]>
  >
> = {
  ...{ answers, history, payload, warm, cold, efficiency, sizes },
  'cluster-answers': clusterAnswers,
  'cluster-history': clusterHistory,
  'cluster-builds': clusterBuilds,
  'cluster-upstream': clusterUpstream,
};

/**
 * `make bench`: prints the table of docs/benchmarks.md with the figures of this machine; the exit code says whether all of them hold. What
 * takes time is told on stderr.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    repeats: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    // `small` tries whether it works; its figures say little.
    demo: { type: 'string', default: 'real' },
    // A clone of tektoncd/pipeline, and a commit in it.
    upstream: { type: 'string' },
  },
});
const chosen = values.only ?? Object.keys(measurements);
const unknown = chosen.filter((name) => !(name in measurements));
const { demo, upstream } = values;
const misnamed = upstream !== undefined && parseUpstream(upstream) === undefined;
if (
  unknown.length > 0 ||
  misnamed ||
  !(Number(values.repeats) >= 1) ||
  (demo !== 'real' && demo !== 'small')
) {
  process.stderr.write(
    `usage: node test/bench/main.ts [--only ${Object.keys(measurements).join('|')}]… [--repeats N] [--json] [--demo real|small] [--upstream CLONE@COMMIT]\n`,
  );
  process.exit(2);
}

const began = performance.now();
const rows: Row[] = [];
{
  await using world = await startBenchWorld(demo);
  for (const name of chosen)
    rows.push(...((await measurements[name]?.(world, Number(values.repeats), upstream)) ?? []));
}
say(`all took ${((performance.now() - began) / 60_000).toFixed(1)} minutes`);
if (values.json) {
  process.stdout.write(`${JSON.stringify({ machine: machine(), rows }, null, 2)}\n`);
} else {
  process.stdout.write(`${machine()}\n\n${renderTable(rows)}\n`);
}
process.exitCode = rows.every(holds) ? 0 : 1;

function machine(): string {
  const [first] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpus().length} cores (${first?.model.trim()}), ${memory}, Node ${process.version}`;
}
