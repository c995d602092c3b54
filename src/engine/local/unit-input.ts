import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Unit } from './unit.ts';

/** Writes what the step program reads, and gives the arguments that name it, its steps and its folder. No secret is among them. */
export async function writeInput(unit: Unit, workdir: string): Promise<string[]> {
  const { input, folders } = unit;
  const common = [
    ...['--plan', planFile(folders.run), '--logs', folders.logs, '--workdir', workdir],
    ...(unit.rebuild ? ['--rebuild'] : []),
    ...(unit.atOnce === undefined ? [] : ['--at-once', String(unit.atOnce)]),
  ];
  const build =
    input.build === undefined
      ? []
      : ['--build', await writeJson(join(folders.run, 'build.json'), input.build)];
  if (input.kind === 'lock') {
    const lock = await writeJson(join(folders.run, 'lock.json'), input.lock);
    const { product: parsed, productText: text } = input;
    const product = await writeJson(join(folders.run, 'product.json'), { product: parsed, text });
    return [
      '--lock',
      lock,
      '--product',
      product,
      '--tag',
      unit.tag,
      ...build,
      ...common,
      ...unit.steps,
    ];
  }
  const name = `${unit.steps[0].replaceAll('/', '~')}.json`;
  const outputs = await writeJson(join(folders.run, 'outputs', name), input.outputs);
  return ['--outputs', outputs, ...build, ...common, ...unit.steps];
}

/** Where `prepare` writes the plan, and every other step reads it. */
export function planFile(run: string): string {
  return join(run, 'plan.json');
}

async function writeJson(file: string, value: unknown): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(value));
  return file;
}
