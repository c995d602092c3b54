import type { Approval } from '../../src/access/approvals.ts';
import type {
  ApprovalList,
  Approved,
  Components,
  Install,
  PlanAnswer,
  Readiness,
  Submitted,
} from '../../src/api/answers.ts';
import { createApprovalService } from '../../src/api/approval-service.ts';
import { renderLinks } from '../../src/api/links.ts';
import { renderInstall } from '../../src/api/render-install.ts';
import type { LinkedBuild, LinkedBuildPage, ListQuery, Service } from '../../src/api/service.ts';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import type { Failure, Outcome, Reason } from '../../src/builds/failure.ts';
import { failed, ok } from '../../src/builds/result.ts';
import type { CommitSha, ComponentName, Digest, Tag, TreeSha } from '../../src/plan/names.ts';
import { memoryApprovals } from './memory-approvals.ts';

const digest = `sha256:${'1'.repeat(64)}` as Digest;
const commit = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';
const remote = '127.0.0.1:5000/demo';

/** A failure of a reason, for tests. */
export function failure(reason: Reason, more: Partial<Failure> = {}): Failure {
  return { reason, detail: `detail of ${reason}`, hint: `hint of ${reason}`, ...more };
}

/** A finished build with everything in it. */
export const exampleBuild: Build = {
  tag: 'test-my-thing-72a32c' as Tag,
  pipelinerun: 'build-operator-bundle-bc98b12',
  name: 'test-my-thing',
  state: 'succeeded',
  attempt: 1,
  release: 'nightly',
  requester: 'ada',
  createdAt: '2026-11-23T10:00:00Z',
  startedAt: '2026-11-23T10:00:01Z',
  finishedAt: '2026-11-23T10:01:15Z',
  queuePosition: null,
  components: {
    'tektoncd/pipeline': {
      ref: 'tektoncd/pipeline#4638',
      as: 'merge',
      commit,
      url: 'https://github.com/tektoncd/pipeline',
      base: { branch: 'main', commit, found: 'only-candidate' },
      why: 'Its base main is what nightly tracks.',
    },
  },
  steps: [
    {
      id: 'prepare',
      kind: 'prepare',
      needs: [],
      weight: 3,
      state: 'succeeded',
      startedAt: '2026-11-23T10:00:01Z',
      finishedAt: '2026-11-23T10:00:04Z',
    },
    {
      id: 'image/openshift-pipelines-controller',
      kind: 'image',
      needs: ['prepare'],
      weight: 30,
      state: 'succeeded',
      startedAt: '2026-11-23T10:00:04Z',
      finishedAt: '2026-11-23T10:01:00Z',
    },
    {
      id: 'image/openshift-pipelines-webhook',
      kind: 'image',
      needs: ['prepare'],
      weight: 30,
      state: 'reused',
      startedAt: '2026-11-23T10:00:04Z',
      finishedAt: '2026-11-23T10:00:05Z',
    },
  ],
  images: [
    {
      name: 'openshift-pipelines-controller',
      image: `${remote}/openshift-pipelines-controller:test-my-thing-72a32c`,
      digest,
      reused: false,
    },
    {
      name: 'openshift-pipelines-webhook',
      image: `${remote}/openshift-pipelines-webhook:test-my-thing-72a32c`,
      digest,
      reused: true,
    },
  ],
  bundle: { image: `${remote}/openshift-pipelines-operator-bundle:test-my-thing-72a32c`, digest },
  index: { image: `${remote}/openshift-pipelines-operator-index:test-my-thing-72a32c`, digest },
  inclusion: [
    {
      component: 'tektoncd/pipeline' as ComponentName,
      place: 'image/openshift-pipelines-controller',
      commit: commit as CommitSha,
      tree: commit as TreeSha,
      requested: true,
      outcome: 'included',
      proof: 'Its key is made of this tree.',
    },
  ],
  unpullable: [
    { image: `${remote}/x@${digest}`, how: 'anonymously', remedy: 'Make the repository public.' },
  ],
  patches: [
    {
      component: 'tektoncd/pipeline' as ComponentName,
      patch: '0001-x.patch',
      outcome: 'contained',
      by: 'tributary',
    },
  ],
  failure: null,
};

/** Approvals of a service where nothing is approved. */
export function newVouching() {
  return createApprovalService(memoryApprovals(), () => new Date('2026-11-23T10:00:00Z'));
}

/** A service that is steered by its fields, and notes what it was asked. */
export class FakeService implements Service {
  readonly bodies: unknown[] = [];
  readonly requesters: string[] = [];
  readonly queries: ListQuery[] = [];
  readonly reruns: { rebuild: boolean; requester: string }[] = [];
  readonly cancelled: string[] = [];
  build: Build = exampleBuild;
  /** What a page of builds says besides. */
  page: Pick<LinkedBuildPage, 'incomplete'> = {};
  outcome: 'created' | 'known' | 'restarted' = 'created';
  failures: [Failure, ...Failure[]] | undefined;
  bug: Error | undefined;
  ready = true;
  /** What `events` tells; it then waits for `more`, where it is set. */
  told: BuildEvent[] = [];
  more: Promise<BuildEvent[]> | undefined;
  endedStreams = 0;
  vouching = newVouching();
  logPieces: string[] | undefined;

  async submit(body: unknown, requester: string): Promise<Outcome<Submitted>> {
    if (this.failures !== undefined) return { ok: false, failures: this.failures };
    this.bodies.push(body);
    this.requesters.push(requester);
    const {
      tag,
      pipelinerun,
      state,
      attempt,
      release,
      queuePosition,
      components,
      failure: why,
    } = this.build;
    return ok({
      tag,
      pipelinerun,
      outcome: this.outcome,
      state,
      attempt,
      release,
      queuePosition,
      components,
      failure: why,
      links: renderLinks('http://127.0.0.1:8080', tag, {
        images: Object.fromEntries(this.build.images.map(({ name, image }) => [name, image])),
        bundle: this.build.bundle.image,
        index: this.build.index.image,
      }),
    });
  }

  async plan(body: unknown): Promise<Outcome<PlanAnswer>> {
    if (this.failures !== undefined) return { ok: false, failures: this.failures };
    this.bodies.push(body);
    const { tag, release, components, patches } = this.build;
    return ok({
      tag,
      release,
      operatorVersion: '1.7.0-t72a32c',
      components,
      patches,
      steps: [
        { id: 'image/a', kind: 'image', needs: [], weight: 30, key: 'a'.repeat(64), hit: true },
        { id: 'image/b', kind: 'image', needs: [], weight: 30, key: 'b'.repeat(64), hit: false },
        {
          id: 'bundle',
          kind: 'bundle',
          needs: ['image/a', 'image/b'],
          weight: 3,
          key: null,
          hit: null,
        },
      ],
    });
  }

  async get(tag: string): Promise<Outcome<LinkedBuild>> {
    return tag === this.build.tag ? ok(this.build) : failed(failure('build-not-found'));
  }

  async list(query: ListQuery, requester: string): Promise<Outcome<LinkedBuildPage>> {
    this.queries.push(query);
    if (query.mine) this.requesters.push(requester);
    return ok({ builds: [this.build], next: null, ...this.page });
  }

  async events(tag: string, signal: AbortSignal): Promise<Outcome<AsyncIterable<BuildEvent>>> {
    if (tag !== this.build.tag) return failed(failure('build-not-found'));
    return ok(this.tell(this.told, signal));
  }

  private async *tell(
    events: readonly BuildEvent[],
    signal: AbortSignal,
  ): AsyncGenerator<BuildEvent> {
    const aborted = new Promise<BuildEvent[]>((resolve) => {
      signal.addEventListener('abort', () => resolve([]), { once: true });
    });
    try {
      yield* events;
      if (this.more !== undefined) yield* await Promise.race([this.more, aborted]);
    } finally {
      this.endedStreams += 1;
    }
  }

  async log(tag: string, step: string): Promise<Outcome<AsyncIterable<string>>> {
    if (tag !== this.build.tag) return failed(failure('build-not-found'));
    if (!this.build.steps.some(({ id }) => id === step)) return failed(failure('step-not-found'));
    return ok(pieces(this.logPieces ?? [`log of ${step}\n`, 'done\n']));
  }

  async install(tag: string): Promise<Outcome<Install>> {
    const { bundle, index } = this.build;
    return ok(
      renderInstall({
        tag,
        package: 'openshift-pipelines-operator-rh',
        channel: 'latest',
        bundle: bundle.image,
        index: index.image,
        serve: 'opm',
        insecure: false,
        pullSecret: false,
      }),
    );
  }

  async cancel(tag: string): Promise<Outcome<LinkedBuild>> {
    this.cancelled.push(tag);
    if (!['queued', 'running'].includes(this.build.state))
      return failed(failure('already-finished'));
    this.build = { ...this.build, state: 'cancelled' };
    return ok(this.build);
  }

  async rerun(
    _tag: string,
    options: { readonly rebuild: boolean; readonly requester: string },
  ): Promise<Outcome<LinkedBuild>> {
    this.reruns.push({ ...options });
    return ok(this.build);
  }

  async approve(body: unknown, by: string): Promise<Outcome<Approved>> {
    return this.vouching.approve(body, by);
  }

  async approvals(): Promise<Outcome<ApprovalList>> {
    return this.vouching.approvals();
  }

  async withdraw(commit: string): Promise<Outcome<Approval>> {
    return this.vouching.withdraw(commit);
  }

  async components(): Promise<Outcome<Components>> {
    if (this.bug !== undefined) throw this.bug;
    return ok({
      product: 'demo',
      releases: [{ name: 'nightly', branch: 'main', version: '1.7.0', default: true }],
      components: [
        {
          name: 'tektoncd/pipeline',
          aliases: [],
          images: ['openshift-pipelines-controller'],
          payload: true,
          tracks: { nightly: 'main' },
        },
        {
          name: 'tektoncd/operator',
          aliases: [],
          images: ['openshift-pipelines-operator'],
          payload: true,
          tracks: {},
        },
        {
          name: 'openshift-pipelines/pipelines-as-code',
          aliases: ['tektoncd/pipelines-as-code'],
          images: [],
          payload: true,
          tracks: {},
        },
      ],
      remotes: [{ name: 'demo', push: remote, default: true }],
      notify: [],
    });
  }

  async readiness(): Promise<Readiness> {
    return {
      ready: this.ready,
      checks: [{ name: 'state', ok: this.ready, detail: 'the state folder' }],
    };
  }
}

async function* pieces(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}
