import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Build } from '../../src/builds/build.ts';
import type { PatchReport } from '../../src/plan/plan.ts';
import { filesOf } from '../support/images.ts';
import { type Json, type RunningService, type ServiceRig, serviceRig } from '../support/service.ts';

/** Downstream patches, from a request to what is compiled: pipeline's are applied by Tributary, triggers' by the Dockerfiles. */

const first = '0001-Use-the-name-of-the-product.patch';
const second = '0002-Give-slow-clients-more-time.patch';
const events = '0001-Accept-larger-events.patch';

const images = {
  webhook: 'openshift-pipelines-webhook',
  sink: 'openshift-pipelines-triggers-eventlistenersink',
};

let rig: ServiceRig;
let service: RunningService;

beforeAll(async () => {
  rig = serviceRig(inject('demo'));
  service = await rig.start();
});
afterAll(() => rig[Symbol.asyncDispose]());

const pipeline = (ref: string) => ({ 'tektoncd/pipeline': `tektoncd/pipeline#${ref}` });
const triggers = (ref: string) => ({ 'tektoncd/triggers': `tektoncd/triggers#${ref}` });

describe('the plan says of each patch what becomes of it', () => {
  const outcomes = (reports: readonly PatchReport[]) =>
    Object.fromEntries(reports.map(({ patch, outcome, by }) => [patch, `${outcome} by ${by}`]));

  test.for([
    {
      title: 'applied where nothing is in the way',
      request: { components: { ...pipeline('4638'), ...triggers('1301') } },
      says: ['applied by tributary', 'applied by tributary', 'applied by dockerfile'],
    },
    {
      title: 'contained in the pull request',
      request: { components: { ...pipeline('4702'), ...triggers('1302') } },
      says: ['applied by tributary', 'contained by tributary', 'contained by dockerfile'],
    },
    {
      title: 'bypassed, all of a component',
      request: {
        components: { ...pipeline('4638'), ...triggers('1301') },
        patches: { 'tektoncd/pipeline': 'none', 'tektoncd/triggers': 'none' },
      },
      says: ['bypassed by tributary', 'bypassed by tributary', 'bypassed by dockerfile'],
    },
    {
      title: 'bypassed, one by name',
      request: {
        components: pipeline('4706'),
        patches: { 'tektoncd/pipeline': { skip: [second] } },
      },
      says: ['applied by tributary', 'bypassed by tributary', 'applied by dockerfile'],
    },
  ])('$title', async ({ request, says }) => {
    const { status, body } = await service.post('/api/plan', { name: 'patches', ...request });
    expect(status, JSON.stringify(body)).toBe(200);
    const [a, b, c] = says;
    expect(outcomes(body.patches)).toEqual({ [first]: a, [second]: b, [events]: c });
  });

  test('in conflict: it stops, naming patch, file, refs and how to go on without it', async () => {
    const { status, body } = await planned(pipeline('4706'));
    expect(status).toBe(409);
    expect(body.problems).toEqual([
      expect.objectContaining({
        reason: 'patch-conflict',
        detail: expect.stringMatching(
          /0002-Give-slow-clients-more-time\.patch of tektoncd\/pipeline does not apply to refs\/pull\/4706\/head \([0-9a-f]{12}\) merged into main: pkg\/server\/server\.go\.$/,
        ),
        hint: expect.stringContaining(`"patches": {"tektoncd/pipeline": {"skip": ["${second}"]}}`),
        about: expect.objectContaining({ patch: second, files: ['pkg/server/server.go'] }),
      }),
    ]);
  });

  test('in conflict, where the Dockerfiles would find out: it stops before anything is built', async () => {
    const commit = commitWithEvents('2 << 20');
    const { status, body } = await planned({ 'tektoncd/triggers': `tektoncd/triggers@${commit}` });
    expect({ status, reason: body.reason }).toEqual({ status: 409, reason: 'patch-conflict' });
    expect(body.problems[0].about).toMatchObject({ patch: events });
  });

  test('unknown to the product: it stops, and says which it has', async () => {
    const { body } = await service.post('/api/plan', {
      name: 'patches',
      components: pipeline('4638'),
      patches: { 'tektoncd/pipeline': { skip: ['0002-Give-slow-clients-more-tiem.patch'] } },
    });
    expect(body).toMatchObject({ status: 422, reason: 'unknown-patch' });
    expect(body.hint).toContain(second);
  });
});

describe('the images', () => {
  test('are compiled with what is applied, once', async () => {
    const build = await built({ components: { ...pipeline('4702'), ...triggers('1301') } });
    expect(build.patches).toEqual([
      { component: 'tektoncd/pipeline', patch: first, outcome: 'applied', by: 'tributary' },
      { component: 'tektoncd/pipeline', patch: second, outcome: 'contained', by: 'tributary' },
      { component: 'tektoncd/triggers', patch: events, outcome: 'applied', by: 'dockerfile' },
    ]);
    expect(programSays(build, images.webhook, 'Patient webhook of OpenShift Pipelines')).toBe(true);
    expect(await patchesOfDockerfile(build, images.sink)).toEqual([`patches/${events}`]);
  }, 280_000);

  test('are compiled without what is contained or bypassed', async () => {
    const build = await built({
      components: { ...pipeline('4702'), ...triggers('1302') },
      patches: { 'tektoncd/pipeline': { skip: [first] } },
    });
    expect(build.patches.map(({ outcome }) => outcome)).toEqual([
      ...['bypassed', 'contained', 'contained'],
    ]);
    expect(programSays(build, images.webhook, 'Patient webhook of Tekton Pipelines')).toBe(true);
    expect(programSays(build, images.sink, 'the event is not JSON')).toBe(true);
    expect(await patchesOfDockerfile(build, images.sink)).toEqual([]);
  }, 280_000);

  async function built(request: object): Promise<Build> {
    const { body } = await service.post('/api/builds', { name: 'patches', ...request });
    const build = await service.ended(body.tag);
    expect(build.failure).toBeNull();
    return build;
  }

  function programSays({ tag }: Build, name: string, text: string): boolean {
    const files = filesOf(`${rig.remote}/${name}:${tag}`);
    const program = [...files].find(([path]) => path.startsWith('ko-app/'));
    return program?.[1].includes(text) ?? false;
  }

  /** The demo's Dockerfiles print each patch that they apply. */
  async function patchesOfDockerfile({ tag }: Build, name: string): Promise<string[]> {
    const { body } = await service.get(`/api/builds/${tag}/steps/image/${name}/log`);
    expect(body).toMatch(/RUN .*go build/);
    return (body as string).split('\n').filter((line) => line.startsWith('patches/'));
  }
});

function planned(components: object): Promise<{ status: number; body: Json }> {
  return service.post('/api/plan', { name: 'patches', components });
}

/** A commit of triggers that no branch has, with another size of events than the patch knows: nobody else sees it. */
function commitWithEvents(size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-commit-'));
  const repository = join(inject('demo').repositories, 'tektoncd/triggers.git');
  const who = ['-c', 'user.name=Vera Upstream', '-c', 'user.email=vera@example.com'];
  const git = (args: readonly string[], input = '') =>
    execFileSync('git', ['-C', repository, ...who, ...args], {
      input,
      env: { ...process.env, GIT_INDEX_FILE: join(folder, 'index') },
    }).toString();
  try {
    const path = 'cmd/eventlistenersink/main.go';
    const text = git(['show', `main:${path}`]).replace(
      'maxEventBytes = 1 << 20',
      `maxEventBytes = ${size}`,
    );
    git(['read-tree', 'main']);
    const blob = git(['hash-object', '-w', '--stdin'], text).trim();
    git(['update-index', '--cacheinfo', `100644,${blob},${path}`]);
    const tree = git(['write-tree']).trim();
    return git(['commit-tree', tree, '-p', 'main', '-m', 'Take larger events']).trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
