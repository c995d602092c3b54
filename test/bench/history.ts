import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openSqliteStore } from '../../src/adapters/storage/sqlite-store.ts';
import type { BuildChange } from '../../src/builds/event.ts';
import { demoBuild } from '../support/demo-build.ts';
import { type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';
import { median, type Row } from './table.ts';
import { type BenchWorld, say } from './world.ts';

interface Side extends AsyncDisposable {
  readonly service: RunningService;
  readonly tag: string;
}

/** The status of a build that runs, with a long history and many who watch, against a short one and one who watches. */
export async function history(world: BenchWorld, repeats: number): Promise<Row[]> {
  // What runs has to go on running: its git server listens, and says nothing.
  const silent = createServer(() => {});
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
  const { port } = silent.address() as { port: number };
  const quiet = { ...world, git: `http://127.0.0.1:${port}/` };
  try {
    await using few = await openSide(quiet, 10, 1);
    await using many = await openSide(quiet, 10_000, 500);
    const [one, other]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < repeats * 10; turn++) {
      one.push(...(await times(few, 50)));
      other.push(...(await times(many, 50)));
    }
    const microseconds = (figure: number) => `${(figure * 1000).toFixed(0)} µs`;
    return [
      {
        id: 'history',
        what: 'GET /api/builds/TAG, 500 watchers, 10,000 builds',
        against: '1 watcher, 10 builds',
        ...{ demand: 'at most', limit: 2, unit: 'x' },
        figure: median(other) / median(one),
        made: `${microseconds(median(other))}, ${microseconds(median(one))}`,
      },
    ];
  } finally {
    silent.close();
  }
}

async function openSide(world: BenchWorld, builds: number, watchers: number): Promise<Side> {
  say(`history: ${builds} builds, ${watchers} watchers`);
  const rig: ServiceRig = serviceRig(world, { limits: { builds: 1 } });
  mkdirSync(rig.state, { recursive: true });
  const tag = fill(join(rig.state, 'tributary.sqlite'), builds);
  const service = await rig.start();
  const gone = new AbortController();
  const open = async () => {
    const { body } = await fetch(`${service.url}/api/builds/${tag}/events`, {
      signal: gone.signal,
    });
    void body?.pipeTo(new WritableStream()).catch(() => {});
  };
  for (let count = 0; count < watchers; count += 50)
    await Promise.all(Array.from({ length: Math.min(50, watchers - count) }, open));
  return {
    service,
    tag,
    async [Symbol.asyncDispose]() {
      gone.abort();
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** Finished builds as an engine leaves them, and one that waits to run; gives its tag. */
function fill(file: string, count: number): string {
  const store = openSqliteStore(file);
  const steps = demoSteps();
  const past: BuildChange[] = [
    { kind: 'queued' },
    { kind: 'started' },
    { kind: 'planned', steps, patches: [] },
    ...steps.flatMap(({ id }): BuildChange[] => [
      { kind: 'step-started', step: id },
      { kind: 'step-skipped', step: id },
    ]),
    { kind: 'cancelled' },
  ];
  const numbered = past.map((change) => ({ change, sequence: 0 }));
  store.atomically(() => {
    for (let index = 1; index < count; index++) {
      // Names of runs are short: of ten thousand, two would be the same.
      const pipelinerun = `build-operator-bundle-${index.toString(16).padStart(9, '0')}`;
      const asked = { ...demoBuild(`past-${index}`), pipelinerun };
      store.insert(asked);
      store.append(asked.tag, 1, new Date().toISOString(), numbered);
    }
    const asked = demoBuild('running');
    store.insert(asked);
    store.enqueue(asked, 1);
    store.append(asked.tag, 1, new Date().toISOString(), [
      { change: { kind: 'queued' }, sequence: 0 },
    ]);
  });
  store.close();
  return demoBuild('running').tag;
}

function demoSteps() {
  return Array.from({ length: 20 }, (_, index) => ({
    id: `image/image-${index}`,
    kind: 'image' as const,
    needs: ['prepare'],
    weight: 30,
  }));
}

async function times({ service, tag }: Side, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let index = 0; index < count; index++) {
    const began = performance.now();
    const { status, body } = await service.get(`/api/builds/${tag}`);
    found.push(performance.now() - began);
    if (status !== 200 || body.state !== 'running')
      throw new Error(`${tag}: ${status} ${JSON.stringify(body.failure ?? body.state)}`);
  }
  return found;
}
