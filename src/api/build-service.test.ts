import { beforeEach, expect, test } from 'vitest';
import { demoBuild } from '../../test/support/demo-build.ts';
import { exampleBuild } from '../../test/support/fake-service.ts';
import { memoryApprovals } from '../../test/support/memory-approvals.ts';
import { demandTrust } from '../access/trust.ts';
import { failed, ok } from '../builds/result.ts';
import type { Engine } from '../engine/engine.ts';
import { createBuildService, type ServiceParts } from './build-service.ts';
import type { Service } from './service.ts';

const { 'tektoncd/pipeline': reading } = exampleBuild.components;
if (reading === undefined) throw new Error('the example has no ref');
const vouched = { ref: 'tektoncd/pipeline#4638', commit: reading.commit };

let done: string[];
let service: Service;
beforeEach(() => {
  done = [];
  const engine = {
    submit: async () => {
      done.push('submit');
      return { kind: 'created', build: exampleBuild };
    },
    get: async () => exampleBuild,
    rerun: async () => {
      done.push('rerun');
      return ok(exampleBuild);
    },
  } as unknown as Engine;
  const approvals = memoryApprovals();
  const parts: Partial<ServiceParts> = {
    engine,
    url: () => undefined,
    resolve: async () => ok({ ...demoBuild('x'), read: { 'tektoncd/pipeline': reading } }),
    plan: async () => {
      done.push('plan');
      return failed({ reason: 'merge-conflict', detail: '', hint: '' });
    },
    approvals,
    configuration: { engine: 'tekton' } as ServiceParts['configuration'],
    vouched: (read) =>
      demandTrust(read, {
        ...{ demand: 'allowed', owners: new Set(), ownerOf: async () => undefined, approvals },
      }),
  };
  service = createBuildService(parts as ServiceParts);
});

test('a build that is not there may have gone with its run, and the answer says so', async () => {
  expect(await service.get('no tag')).toMatchObject({
    failures: [
      {
        reason: 'build-not-found',
        hint: expect.stringMatching(/deleted before it ended.*ask for it again/),
      },
    ],
  });
});

const refused = { ok: false, failures: [{ reason: 'not-approved' }] };
const never = new AbortController().signal;

test('what nobody vouches for is neither built nor planned: planning may run a script of it', async () => {
  expect(await service.submit({}, 'ada')).toMatchObject(refused);
  expect(await service.plan({}, never)).toMatchObject(refused);
  expect(done).toEqual([]);
});

test('what was approved is built, and not again once the approval is withdrawn', async () => {
  expect(await service.approve(vouched, 'eve')).toMatchObject({ ok: true });
  expect(await service.submit({}, 'ada')).toMatchObject({ ok: true });
  expect(await service.rerun(exampleBuild.tag, { rebuild: false, requester: 'ada' })).toMatchObject(
    { ok: true },
  );
  expect(await service.withdraw(vouched.commit)).toMatchObject({ ok: true });
  expect(await service.rerun(exampleBuild.tag, { rebuild: false, requester: 'ada' })).toMatchObject(
    refused,
  );
  expect(done).toEqual(['submit', 'rerun']);
});
