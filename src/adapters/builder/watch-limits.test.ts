import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { Configuration } from '../../config/config.ts';
import { noGroups } from '../processes/control-groups.ts';
import { limitsOf, watchLimits } from './watch-limits.ts';

const configuration = Configuration.parse({ remotes: {} });

test('a look that fails ends the build, and is told to whoever asks what was met', async () => {
  const failed = new Error('the disk went away');
  using watch = await watchLimits({
    limits: limitsOf(configuration, 'user'),
    groups: { ...noGroups, met: () => Promise.reject(failed) },
    ...{ privilege: 'user', folders: [tmpdir()] },
  });
  await once(watch.signal, 'abort');
  await expect(watch.met()).rejects.toBe(failed);
});

test.for([
  ['root', {}, 4096],
  ['pod', {}, 2048],
  ['pod', { processes: 3000 }, 3000],
] as const)(
  'as %s with %j, a build may have so many processes',
  ([privilege, sandbox, processes]) => {
    const asked = Configuration.parse({ remotes: {}, limits: { sandbox } });
    expect(limitsOf(asked, privilege)).toMatchObject({ processes });
  },
);
