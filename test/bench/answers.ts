import { serviceRig } from '../support/service.ts';
import { percentile, type Row, seconds } from './table.ts';
import { type BenchWorld, say } from './world.ts';

const atOnce = 20;

/** Refs of three components, combined: no two requests of a round ask for the same. */
const refs = {
  'tektoncd/pipeline': ['#4638', '#4702', '#4703', '#4704', '#4707', '#main', '#v0.69.0'],
  'tektoncd/triggers': ['#1301', '#1302', '#main', '#v0.31.0'],
  'tektoncd/operator': ['#1400', '#main', '#v0.80.0'],
};

/** From a request with three refs to its answer, many different ones at once. */
export async function answers(world: BenchWorld, repeats: number): Promise<Row[]> {
  await using rig = serviceRig(world);
  const service = await rig.start();
  const times: number[] = [];
  for (let round = 0; round <= repeats; round++) {
    say(`answers: round ${round}${round === 0 ? ' (mirrors are made, not counted)' : ''}`);
    const answered = await Promise.all(
      Array.from({ length: atOnce }, async (_, index) => {
        const components = Object.fromEntries(
          Object.entries(refs).map(([name, all]) => [name, `${name}${all[index % all.length]}`]),
        );
        const began = performance.now();
        const { status, body } = await service.post('/', {
          name: `r${round}-${index}`,
          components,
        });
        if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
        if (round > 0) times.push(performance.now() - began);
        return body.tag as string;
      }),
    );
    for (const tag of answered) await service.post(`/api/builds/${tag}/cancel`);
  }
  const [middle, late] = [percentile(times, 50), percentile(times, 99)];
  return [
    {
      id: 'answers',
      what: `POST to answer, 3 refs, ${atOnce} at once, p99`,
      against: '–',
      ...{ demand: 'at most', limit: 1, unit: 's' },
      figure: late / 1000,
      made: `${times.length} requests, p50 ${seconds(middle)}`,
    },
  ];
}
