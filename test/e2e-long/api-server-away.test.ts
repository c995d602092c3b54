import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BuildEvent } from '../../src/builds/event.ts';
import { startApiServer } from '../cluster/kubernetes.ts';
import { type Node, runningNode } from '../cluster/node.ts';
import { killOnNode } from '../cluster/programs.ts';
import { describeOnOurs, testCluster } from '../support/cluster.ts';
import { type ClusterDemo, startClusterDemo } from '../support/cluster-demo.ts';
import { ends, type Replica } from '../support/deployed-service.ts';
import { deployScripted, type ScriptedService } from '../support/scripted-service.ts';

/**
 * The API server really ends: after that kubelet, Tekton and the service find back to it each in its own time, which takes minutes. Its shorter sister,
 * with a line that is cut, is in test/e2e/replicas.test.ts.
 */
let demo: ClusterDemo;
let service: ScriptedService;

const waiting = [
  { id: 'image/one', group: 'a', logs: ['compiling'], does: 'wait' },
  { id: 'image/two', group: 'b' },
  { id: 'bundle' },
] as const;

describeOnOurs('the installed service', {}, () => {
  beforeAll(async () => {
    const cluster = testCluster();
    demo = await startClusterDemo(cluster);
    service = await deployScripted(cluster, demo);
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await demo?.[Symbol.asyncDispose]();
  });

  test('loses nothing of a build, for those who follow it from either replica, while the API server is away for half a minute', {
    timeout: 300_000,
  }, async () => {
    const [one, two] = (await service.whole()) as [Replica, Replica];
    service.server.script('away', waiting);
    const components = { 'tektoncd/pipeline': 'tektoncd/pipeline#4638' };
    const asked = await service.post(one, '/', { name: 'away', components });
    expect(asked.status, JSON.stringify(asked.body)).toBe(201);
    const { tag } = asked.body;
    const following = [one, two].map((replica) => followFrom(replica, tag));
    const begun = () => expect(service.server.starts('away', 'image/one')).toBe(1);
    await vi.waitFor(begun, { timeout: 60_000, interval: 100 });

    const node = runningNode() as Node;
    await killOnNode(node, 'kube-apiserver');
    const halfAMinute = sleep(30_000);
    try {
      // Its pod goes on, and ends while nobody can be told.
      service.server.release('away');
      const answers = async () =>
        (
          await Promise.all([one, two].map((replica) => service.get(replica, `/api/builds/${tag}`)))
        ).map(({ status, body: { reason } }) => ({ status, reason }));
      const unknown = { status: 502, reason: 'cluster-unavailable' };
      await expect.poll(answers, { timeout: 20_000 }).toEqual([unknown, unknown]);
      await halfAMinute;
      expect(await answers()).toEqual([unknown, unknown]);
    } finally {
      await startApiServer(node);
    }

    const [fromOne = [], fromTwo] = await Promise.all(following);
    expect(fromOne.at(-1)?.kind).toBe('succeeded');
    expect(byId(fromTwo)).toEqual(byId(fromOne));
    expect(byId((await service.follow(tag)).events)).toEqual(byId(fromOne));
    const [whole] = (await service.whole()) as [Replica, Replica];
    const { body } = await service.get(whole, `/api/builds/${tag}`);
    expect(body).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(service.server.starts('away', 'image/one')).toBe(1);
  });
});

/** All events of a build to its end, by one replica alone, which is asked for the rest when it broke off. */
async function followFrom(replica: Replica, tag: string): Promise<readonly BuildEvent[]> {
  const events: BuildEvent[] = [];
  let last: string | undefined;
  const take = async () => {
    for await (const { id, event } of service.events(replica, tag, last)) {
      events.push(event);
      last = id;
    }
  };
  while (!ends.includes(events.at(-1)?.kind ?? '')) {
    await take().catch(() => {});
    await sleep(100);
  }
  return events;
}

/** Without their order: replicas may tell in another one what happened at once. */
function byId(events: readonly BuildEvent[] = []): readonly BuildEvent[] {
  return events.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}
