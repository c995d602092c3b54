import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFileSet } from '../../examples/repositories/file-set.ts';
import { renderKo } from '../../src/payload/render-ko.ts';
import { textFile } from '../../src/plan/file-tree.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { koRig } from '../support/ko-resolve.ts';
import { serviceRig } from '../support/service.ts';
import { median, type Row, seconds } from './table.ts';
import { type BenchWorld, say, timedBuild } from './world.ts';

const component = 'tektoncd/pipeline';

/** The payload of a component by us and by `ko resolve`, which compiles every program to learn digests that nobody uses. */
export async function payload(world: BenchWorld, repeats: number): Promise<Row[]> {
  say('payload: a build, for a plan and its sources');
  await using rig = serviceRig(world);
  const service = await rig.start();
  const { build } = await timedBuild(service, 'payload', {});
  const run = join(rig.state, 'runs', build.tag, '1');
  const plan = JSON.parse(readFileSync(join(run, 'plan.json'), 'utf8')) as Plan;
  const step = plan.steps.find(({ id }) => id === `payload/${component}`);
  if (step?.kind !== 'payload' || step.rule.render !== 'ko') throw new Error('no ko payload');
  const { rule, images } = step;

  const source = join(world.folder, 'payload-source');
  const bare = join(world.repositories, `${component}.git`);
  execFileSync('git', ['clone', '--quiet', bare, source]);
  const files = new Map(
    [...readFileSet(source)]
      .filter(([path]) => !path.startsWith('.git/'))
      .map(([path, { content }]) => [path, textFile(content)] as const),
  );
  say('payload: ko once, to warm its cache');
  await using real = await koRig();
  const ko = () => real.resolve(source, ['--push=false', '--recursive', '--filename=config'], {});
  await ko();
  const [theirs, ours, whole]: [number[], number[], number[]] = [[], [], []];
  for (let turn = 0; turn < repeats; turn++) {
    say(`payload: turn ${turn + 1}`);
    theirs.push(await timed(ko));
    ours.push(
      await timed(async () => {
        const rendered = renderKo(files, rule.inputs, images);
        if (!rendered.ok) throw new Error(JSON.stringify(rendered.failures));
      }),
    );
    whole.push(await timed(async () => runStep(step.id, rig, run)));
  }
  const against = '`ko resolve --push=false`, warm';
  const ratio = { demand: 'at least', unit: 'x' } as const;
  return [
    {
      ...{ id: 'payload', what: 'payload of a component, rendered', against, ...ratio, limit: 20 },
      figure: median(theirs) / median(ours),
      made: `${seconds(median(theirs))}, ${seconds(median(ours))}`,
    },
    {
      ...{ id: 'payload-step', what: 'payload of a component, the whole step' },
      ...{ against, ...ratio, limit: 5 },
      figure: median(theirs) / median(whole),
      made: `${seconds(median(theirs))}, ${seconds(median(whole))}`,
    },
  ];
}

/** The step as an engine starts it, with its process; it renders anew although the registry holds its result. */
function runStep(id: string, { state }: { readonly state: string }, run: string): void {
  const workdir = mkdtempSync(join(state, 'temporary', 'bench-'));
  const outputs = join(workdir, 'outputs.json');
  writeFileSync(outputs, '{}');
  const configuration = join(state, 'configuration.yaml');
  const cli = join(import.meta.dirname, '../../src/cli.ts');
  execFileSync(process.execPath, [
    ...[cli, 'step', '--plan', join(run, 'plan.json'), '--outputs', outputs],
    ...['--config', configuration, '--workdir', workdir, '--rebuild', id],
  ]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
