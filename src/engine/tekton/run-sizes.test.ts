import { expect, test } from 'vitest';
import { largeBuild } from '../../../test/support/large-build.ts';
import { finished, limits, runSizes, terminationMessage } from '../../../test/support/run-sizes.ts';
import { Tekton } from '../../config/tekton.ts';
import { prepareResults } from '../../steps/prepare-results.ts';
import { keptBuild, packBuild } from './builds-of-runs.ts';
import { renderRun, tooLong } from './render-run.ts';
import { outcomeAnnotation } from './run-names.ts';

/** A product ten times as large as real ones, a pull request for each of its components, every image to be built. */
const large = largeBuild(300, 20);

test.for(['variable', 'annotations', 'object', 'results'] as const)(
  '300 images and 20 pull requests take at most half of the bytes that there are for: %s',
  (limit) => {
    const { sizes } = runSizes(large);
    expect(sizes[limit]).toBeGreaterThan(0);
    // Half: names of somebody else's product may be longer.
    expect(sizes[limit]).toBeLessThan(limits[limit] / 2);
  },
);

test('a request that no container could be given is refused, and says why', () => {
  const options = { attempt: 1, now: new Date(0), namespace: 'builds', url: undefined };
  const settings = Tekton.parse({ image: 'tributary' });
  const failure = (components: number) => {
    const { asked } = largeBuild(300, components);
    return tooLong(renderRun(asked, { ...options, settings, submission: 'x' }));
  };
  expect(failure(20)).toBeUndefined();
  expect(failure(200)).toMatchObject({
    reason: 'run-refused',
    hint: expect.stringContaining('fewer components'),
  });
});

test('the numbers of as many units as there may be are no more than a container may say', () => {
  const units = Array.from({ length: 256 }, (_, index) => String(index).padStart(3, '0'));
  const reference = `${'registry.example.com/'.padEnd(255, 'x')}@sha256:${'0'.repeat(64)}`;
  const results = prepareResults(
    reference,
    Object.fromEntries(units.map((unit) => [unit, [unit]])),
  );
  const message = JSON.stringify(terminationMessage(results));
  expect(message.length).toBeLessThan(limits.results);
});

test('what a large build came to is read from its run as it was', () => {
  const build = finished(large);
  const annotations = { [outcomeAnnotation]: packBuild(build) };
  const run = { annotations } as unknown as Parameters<typeof keptBuild>[0];
  expect(keptBuild(run)).toEqual(build);
});
