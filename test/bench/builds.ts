import { availableParallelism } from 'node:os';
import { serviceRig } from '../support/service.ts';
import { foldCriticalPath } from './critical-path.ts';
import { commitOf, type MakefileRig, makefileRig } from './makefile.ts';
import { median, type Row, seconds } from './table.ts';
import { type BenchWorld, busyProcessors, memoryOf, say, timedBuild } from './world.ts';

/** What is built: a pull request, and how many of the 22 images it changes. */
const [small, large] = [
  { component: 'tektoncd/triggers', number: 1301, images: 2, least: 6 },
  { component: 'tektoncd/pipeline', number: 4638, images: 4, least: 3 },
] as const;

type Pull = typeof small | typeof large;

function asked({ component, number }: Pull): Record<string, string> {
  return { [component]: `${component}#${number}` };
}

/** The whole product from nothing: sources, images, bundle. */
export async function cold(world: BenchWorld): Promise<Row[]> {
  say('cold: Tributary, the whole product');
  await using rig = serviceRig(world);
  const service = await rig.start();
  const ours = await timedBuild(service, 'cold', asked(large));
  await service.stop();
  say(`cold: ${seconds(ours.milliseconds)}; the Makefile, as many jobs as cores`);
  using makefile = makefileRig(world, { cache: false });
  pin(makefile, large, world);
  const theirs = await makefile.push('cold', availableParallelism());
  return [
    {
      id: 'cold',
      what: 'the whole product, cold',
      against: "the Makefile's `bundle/push`, cold",
      ...{ demand: 'at least', limit: 1.3, unit: 'x' },
      figure: theirs / ours.milliseconds,
      made: `${seconds(theirs)}, ${seconds(ours.milliseconds)}`,
    },
  ];
}

/** Pins what the forge would merge. */
function pin(makefile: MakefileRig, { component, number }: Pull, world: BenchWorld): void {
  makefile.pin(component, commitOf(world, component, `refs/pull/${number}/merge`));
}

/** New pull requests, and then their code under other names, where the product was built before. */
export async function warm(world: BenchWorld, repeats: number): Promise<Row[]> {
  say('warm: the product as it is, by both');
  await using rig = serviceRig(world);
  const service = await rig.start();
  const idle = memoryOf(service.pid);
  await timedBuild(service, 'base', {});
  using makefile = makefileRig(world, { cache: true });
  await makefile.push('base', 1);

  const make: number[] = [];
  const renamed: number[] = [];
  const memory: number[] = [idle];
  const rows: Row[] = [];
  for (const pull of [small, large]) {
    say(`warm: ${pull.component}#${pull.number}, the Makefile`);
    pin(makefile, pull, world);
    const theirs = await makefile.push(`pull-${pull.number}`, 1);
    make.push(theirs);
    say(`warm: ${pull.component}#${pull.number}, Tributary`);
    const watching = setInterval(() => memory.push(memoryOf(service.pid)), 100);
    const ours = await timedBuild(service, `pull-${pull.number}`, asked(pull));
    rows.push({
      id: `pull-${pull.number}`,
      what: `one pull request, warm (${pull.component}#${pull.number}: ${pull.images} of 22 images)`,
      ...{ against: warmMakefile, demand: 'at least', unit: 'x', limit: pull.least },
      figure: theirs / ours.milliseconds,
      made: `${seconds(theirs)}, ${seconds(ours.milliseconds)}`,
    });
    say('warm: the same code under other names');
    for (let again = 0; again < repeats; again++) {
      const name = `again-${pull.number}-${again}`;
      renamed.push((await timedBuild(service, name, asked(pull))).milliseconds);
    }
    clearInterval(watching);
  }
  return [
    ...rows,
    {
      ...{ id: 'name', what: 'the same code under a new name', against: warmMakefile },
      ...{ demand: 'at least', unit: 'x', limit: 20 },
      figure: median(make) / median(renamed),
      made: `${seconds(median(make))}, ${seconds(median(renamed))}`,
    },
    memoryRow('idle', 150, idle),
    memoryRow('building', 250, Math.max(...memory)),
  ];
}

const warmMakefile = "the Makefile's `bundle/push`, warm";

function memoryRow(when: string, limit: number, figure: number): Row {
  return {
    id: `memory-${when}`,
    what: `memory of the service, ${when}`,
    against: '–',
    ...{ demand: 'at most', limit, figure, unit: 'MB' },
    made: 'resident, children aside',
  };
}

/** How well a build uses the machine: its time against what its steps need, one at a time. */
export async function efficiency(world: BenchWorld): Promise<Row[]> {
  const components = asked(large);
  say('efficiency: every step alone');
  const alone = await (async () => {
    await using rig = serviceRig(world, { limits: { steps: 1 } });
    const service = await rig.start();
    const before = busyProcessors();
    const { build } = await timedBuild(service, 'alone', components);
    return { path: foldCriticalPath(build), cpu: busyProcessors() - before };
  })();
  say('efficiency: as many as there are cores');
  await using rig = serviceRig(world);
  const { milliseconds } = await timedBuild(await rig.start(), 'together', components);
  const cores = availableParallelism();
  const least = Math.max(alone.path, alone.cpu / cores);
  return [
    {
      id: 'efficiency',
      what: 'wall clock of a build',
      against: 'critical path, or CPU time by cores, steps alone',
      ...{ demand: 'at most', limit: 1.3, unit: 'x' },
      figure: milliseconds / least,
      made: `${seconds(milliseconds)}; ${seconds(alone.path)}, ${seconds(alone.cpu)} / ${cores}`,
    },
  ];
}
