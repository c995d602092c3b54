import { largeBuild } from '../support/large-build.ts';
import { limits, runSizes } from '../support/run-sizes.ts';
import type { Row } from './table.ts';

/** A product of 300 images with 20 pull requests: what its plan and its run take of what there is. */
export async function sizes(): Promise<Row[]> {
  const { plan, packedPlan, units, sizes: found } = runSizes(largeBuild(300, 20));
  const kilobytes = (bytes: number) => `${Math.ceil(bytes / 1000)} kB`;
  const names = Object.keys(limits) as (keyof typeof limits)[];
  const shares = names.map((name) => found[name] / limits[name]);
  const all = names.map(
    (name) => `${name} ${kilobytes(found[name])} of ${kilobytes(limits[name])}`,
  );
  return [
    {
      id: 'sizes',
      what: 'run of 300 images and 20 pull requests, the largest share of a limit',
      against: '–',
      ...{ demand: 'at most', limit: 0.5, figure: Math.max(...shares), unit: 'x' },
      made: `${all.join(', ')}; ${units} units; plan ${kilobytes(plan)}, packed ${kilobytes(packedPlan)}`,
    },
  ];
}
