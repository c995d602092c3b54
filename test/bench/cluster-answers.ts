import { portForward } from '../support/port-forward.ts';
import { openClusterWorld } from './cluster-world.ts';
import { percentile, type Row, seconds } from './table.ts';
import { type BenchWorld, say } from './world.ts';

const atOnce = 10;

/** Branches and tags of owners who are believed: nobody has to vouch for them. */
const refs = {
  'tektoncd/pipeline': ['main', 'v0.69.0', 'v0.68.0'],
  'tektoncd/triggers': ['main', 'v0.31.0'],
  'tektoncd/operator': ['main', 'v0.80.0'],
};

/** From a request to the service on the cluster, by somebody whom that knows, to the answer that names a PipelineRun. */
export async function clusterAnswers(_world: BenchWorld, repeats: number): Promise<Row[]> {
  await using world = await openClusterWorld('answers on a cluster', 'small');
  if (world === undefined) return [];
  const { cluster, space } = world;
  await space.kubectl(['create', 'serviceaccount', 'ada']);
  await space.kubectl([
    ...['create', 'rolebinding', 'ada', '--role=tributary-builder'],
    `--serviceaccount=${space.name}:ada`,
  ]);
  const token = (await space.kubectl(['create', 'token', 'ada'])).trim();
  using forward = await portForward(cluster, space);
  const post = async (path: string, body: unknown = {}) => {
    const response = await fetch(`${forward.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as { readonly tag: string } };
  };
  const times: number[] = [];
  for (let round = 0; round <= repeats; round += 1) {
    say(
      `answers on a cluster: round ${round}${round === 0 ? ' (mirrors are made, not counted)' : ''}`,
    );
    const tags = await Promise.all(
      Array.from({ length: atOnce }, async (_, index) => {
        const components = Object.fromEntries(
          Object.entries(refs).map(([name, all]) => [name, `${name}#${all[index % all.length]}`]),
        );
        const began = performance.now();
        const { status, body } = await post('/', { name: `r${round}-${index}`, components });
        if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
        if (round > 0) times.push(performance.now() - began);
        return body.tag;
      }),
    );
    await Promise.all(tags.map((tag) => post(`/api/builds/${tag}/cancel`)));
  }
  return [
    {
      id: 'cluster-answers',
      what: `POST to answer on a cluster, 3 refs, ${atOnce} at once, p99`,
      against: '–',
      ...{ demand: 'at most', limit: 2, unit: 's', figure: percentile(times, 99) / 1000 },
      made: `${times.length} requests, p50 ${seconds(percentile(times, 50))}`,
    },
  ];
}
