import type { Build } from '../../src/builds/build.ts';

type Timed = Pick<Build, 'steps'>;

/** Milliseconds of the longest chain of steps that wait for each other, by the times that a build's steps took. */
export function foldCriticalPath({ steps }: Timed): number {
  const ends = new Map<string, number>();
  const endOf = (id: string): number => {
    const known = ends.get(id);
    if (known !== undefined) return known;
    const step = steps.find((one) => one.id === id);
    if (step === undefined) throw new Error(`no step ${id}`);
    const took = Date.parse(step.finishedAt ?? '') - Date.parse(step.startedAt ?? '');
    const end = took + Math.max(0, ...step.needs.map(endOf));
    ends.set(id, end);
    return end;
  };
  return Math.max(...steps.map(({ id }) => endOf(id)));
}
