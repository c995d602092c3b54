import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Task } from '../../src/engine/tekton/tekton-api.ts';
import { possibleSeeds } from '../../src/plan/compile-cache.ts';
import type { FileTree } from '../../src/plan/file-tree.ts';
import type { StepOf } from '../../src/plan/plan.ts';
import { keyReference } from '../../src/steps/key-reference.ts';
import { taskPhases } from '../../src/steps/task-input.ts';
import { outcomeReference, type TaskOutcome } from '../../src/steps/task-outcome.ts';
import { describeOnOurs, type TestCluster, testCluster } from '../support/cluster.ts';
import { hostileRun, openUnitPods, type UnitPods } from '../support/hostile/unit-pods.ts';
import { digestIn, filesOf } from '../support/images.ts';
import type { Json } from '../support/service.ts';
import { tree } from '../support/small-product.ts';

/** Code of a hostile ref in the pod of a unit: each attack is tried on a real cluster, and fails. */

const support = (file: string) =>
  readFileSync(new URL(`../support/hostile/${file}`, import.meta.url), 'utf8');

const reached = [
  '/pod/in/plan.json,/etc/tributary/config.yaml,/etc/tributary-push/auth.json,/var/run/secrets/kubernetes.io/serviceaccount/token',
  '/pod/in,/pod/out,/tekton/results,/tekton/home,/tekton/run,/tekton/steps,/workspace/file,/var/lib/tributary,/etc/tributary/config.yaml,/proc/sys/kernel/core_pattern,/sys/fs/cgroup',
  '10.96.0.1:443,169.254.169.254:80,REGISTRY',
  'tributary',
].join(' ');

/** What RUN does, beside pry.pl; afterwards it plants what another container could take for its own. */
const inRun = {
  pry: `perl pry.pl @marker ${reached}
for path in /var/run/secrets /tekton /pod /workspace /etc/tributary; do test -e $path && echo "LOOT: $path" >&2; done
for path in leaked leaked-folder/config.yaml; do grep -q decoy $path || echo "LOOT: a link out of the context, $path" >&2; done
for home in $HOME /root /tekton/home /var/lib/tributary; do
  mkdir -p $home/.docker && echo '{"auths": {}, "credsStore": "planted"}' >$home/.docker/config.json
done
mkdir -p /tekton/results && echo registry.example.com/planted | tee /tekton/results/IMAGE_URL >/tekton/results/IMAGES
busybox setsid perl -e '$0 = "left-behind"; sleep 600' </dev/null &
sleep 0.2`,
  // Each child as somebody else, whose processes the kernel counts by themselves.
  forks: "perl -e 'while (1) { fork or $( = $) = $< = $> = 1 + int rand 60000 }' & sleep 60",
  disk: "perl -e 'for $name (1 .. 1e9) { open F, q(>), $name; print F q(x) x 2e7; close F }'",
} as const;

/** What code does that has left the sandbox: escaped.mjs. */
const escaped = ['look', 'links', 'pipe', 'linger'] as const;
type Escaped = (typeof escaped)[number];

let cluster: TestCluster;
let pods: UnitPods;

beforeAll(async () => {
  cluster = testCluster();
  const run = Object.entries(inRun).map(([name, code]) => [name, codeInRun(code)] as const);
  const after = escaped.map((name) => [name, tree({ Dockerfile: 'FROM base\nCOPY marker /\n' })]);
  pods = await openUnitPods(cluster, Object.fromEntries([...run, ...after]), {
    ...{ processes: 200, 'disk-mib': 200 },
  });
}, 180_000);
afterAll(() => pods?.[Symbol.asyncDispose]());

/** Links of its context lead out of it, to files that the container has. */
function codeInRun(code: string): FileTree {
  const link = (to: string) => ({ mode: '120000' as const, content: Buffer.from(to) });
  return new Map([
    ...tree({
      Dockerfile: `FROM base AS build
WORKDIR /src
COPY . .
COPY link leaked
COPY folder leaked-folder
RUN sh attack.sh
FROM base
COPY --from=build /src/marker /marker
`,
      'attack.sh': code.replace('REGISTRY', cluster.registry),
      'pry.pl': support('pry.pl'),
      'etc/tributary/config.yaml': 'decoy\n',
    }),
    ['link', link('/etc/tributary/config.yaml')],
    ['folder', link('../../../../../../../../../../etc/tributary')],
  ]);
}

/** A unit whose container `run` runs hostile code in place of our program, with all else as it is. */
function runEscaped(attack: Escaped) {
  const where = { remote: pods.small.remote, namespace: pods.space.name };
  const told = { attack, ...where, others: others(attack) };
  const program = ['node', '--input-type=module', '--eval', support('escaped.mjs')];
  return pods.run(attack, (task) => running(task, [...program, JSON.stringify(told)]));
}

/** Looks in the container, when our program is over there, for a process of the sandbox. */
const thenLook =
  'tributary task run; ended=$?; grep -als "left-behin[d]" /proc/[0-9]*/cmdline | sed "s/^/LOOT: left behind, /"; exit $ended';

/** The same task, whose container `run` does something else, in the namespace of our program. */
function running(task: Task, program: readonly string[]): Task {
  const command = [...taskPhases.run.startedBy, ...program];
  const steps = task.spec.steps.map((step) => (step.name === 'run' ? { ...step, command } : step));
  return { ...task, spec: { ...task.spec, steps } };
}

/** What the unit of an attack must not write: another image's key, the seed that all builds share, what a task tells. */
function others(attack: string): string[] {
  const { plan } = pods.small;
  const image = (id: string) =>
    plan.steps.find((step): step is StepOf<'image'> => step.kind === 'image' && step.id === id);
  const [own, other] = [image(`image/${attack}`), image('image/controller')];
  if (own === undefined || other === undefined) throw new Error('no image');
  return [
    keyReference(other, plan) ?? '',
    ...possibleSeeds(own, plan),
    outcomeReference(plan, hostileRun, 'prepare'),
  ];
}

const failureIn = ({ messages }: TaskOutcome) =>
  messages.flatMap((message) => (message.kind === 'step-failed' ? message.failures : []))[0];

const lootIn = (log: string) => log.split('\n').filter((line) => line.includes('LOOT:'));

const tagged = (name: string) => digestIn(`${pods.small.remote}/${name}:${pods.small.plan.tag}`);

/** Whether a credential of `push` stands in what people can read of a build. */
function leaks(...texts: readonly string[]): boolean {
  return pods.secrets.some((secret) => texts.some((text) => text.includes(secret)));
}

const readable = ({ messages, logs }: TaskOutcome) =>
  JSON.stringify(messages) + [...logs.values()].map(({ content }) => content.toString()).join('');

describeOnOurs('code in a RUN', { concurrent: true, timeout: 200_000 }, () => {
  test('reaches nothing of its pod or its cluster: no token, file, environment, process, key, server, nor other rights; and leaves no process behind', async () => {
    const { succeeded, outcome, results, logOf } = await pods.run('pry', (task) =>
      running(task, ['sh', '-c', thenLook]),
    );
    expect(lootIn(await logOf('run'))).toEqual([]);
    const log = outcome.logs.get('image~pry.log')?.content.toString() ?? '';
    expect(lootIn(log)).toEqual([]);
    expect(log).toContain('everything was tried');
    expect(failureIn(outcome)).toBeUndefined();
    expect(succeeded).toBe(true);
    // Its image is there, by its key and under the tag, without what was planted; so are the results that `push` wrote.
    const digest = tagged('pry');
    expect(results).toMatchObject({
      IMAGE_URL: `${pods.small.remote}/pry`,
      IMAGE_DIGEST: digest,
    });
    const files = [...filesOf(`${pods.small.remote}/pry@${digest}`).keys()];
    expect(files.filter((path) => /config.json|tekton|src/.test(path))).toEqual([]);
  });

  test.each([
    { name: 'forks', limit: 'processes' },
    { name: 'disk', limit: 'disk-mib' },
  ] as const)('$name without end: the build is ended, and told why', async ({ name, limit }) => {
    const { succeeded, outcome } = await pods.run(name);
    expect(failureIn(outcome)).toMatchObject({ reason: 'limit-exceeded', about: { limit } });
    expect(succeeded).toBe(false);
    expect(tagged(name)).toBeUndefined();
  });
});

describeOnOurs('code that has left the sandbox', { concurrent: true, timeout: 200_000 }, () => {
  test('finds no credential, may write nothing of others, and `push` does as it would without', async () => {
    const before = others('look').map(digestIn);
    const { succeeded, outcome, results, logOf, taskRun, pod } = await runEscaped('look');
    const log = await logOf('run');
    expect(lootIn(log)).toEqual([]);
    expect(log).toContain('everything was tried');
    expect(log).toMatch(/the API server answers 40[13] for secrets/);
    expect(log).toMatch(/the registry answers 401, then 40[13] to POST/);
    expect(failureIn(outcome)).toBeUndefined();
    expect(succeeded).toBe(true);
    const digest = tagged('look');
    expect(results).toMatchObject({
      ...{ IMAGE_URL: `${pods.small.remote}/look`, IMAGE_DIGEST: digest },
    });
    expect(JSON.stringify(taskRun.status.results)).not.toContain('planted');
    expect(readable(outcome)).not.toContain('planted');
    expect(others('look').map(digestIn)).toEqual(before);
    expect(containersOf(pod)).toEqual(expected);
  });

  test('does not have the push secret read as a layer', async () => {
    const { succeeded, outcome, pod, taskRun, results } = await runEscaped('links');
    expect(failureIn(outcome)).toMatchObject({ reason: 'strange-output' });
    expect([succeeded, results['IMAGE_URL'] || undefined]).toEqual([false, undefined]);
    expect(tagged('links')).toBeUndefined();
    expect(leaks(readable(outcome), JSON.stringify([pod, taskRun]))).toBe(false);
  });

  test('does not have the push secret read as a log, nor `push` wait for ever', async () => {
    const { succeeded, outcome, pod, taskRun } = await runEscaped('pipe');
    expect(failureIn(outcome)).toMatchObject({ reason: 'strange-output' });
    expect(succeeded).toBe(false);
    expect(tagged('pipe')).toBeUndefined();
    expect(leaks(readable(outcome), JSON.stringify([pod, taskRun]))).toBe(false);
  });

  test('does not have the push secret shown by staying when it should be over', async () => {
    const { results, outcome, pod, taskRun } = await runEscaped('linger');
    expect(leaks(readable(outcome), JSON.stringify([pod, taskRun]))).toBe(false);
    expect([results['IMAGE_URL'], results['IMAGE_DIGEST']]).toEqual([
      ...[`${pods.small.remote}/linger`, tagged('linger')],
    ]);
  });
});

/** What each container of a pod sees and may do, when Tekton, admission and kubelet have added theirs. */
function containersOf({ spec }: Json): object {
  const secrets = new Map<string, string>(
    spec.volumes.flatMap((volume: Json) =>
      volume.secret ? [[volume.name, volume.secret.secretName]] : [],
    ),
  );
  return {
    token: spec.automountServiceAccountToken,
    projected: spec.volumes.flatMap((volume: Json) =>
      JSON.stringify(volume).includes('serviceAccountToken') ? [volume.name] : [],
    ),
    shared: [spec.hostNetwork, spec.hostPID, spec.hostIPC, spec.shareProcessNamespace].some(
      Boolean,
    ),
    containers: Object.fromEntries(
      spec.containers.map(({ name, securityContext, env, envFrom, volumeMounts }: Json) => [
        name,
        {
          secrets: volumeMounts.flatMap((mount: Json) => secrets.get(mount.name) ?? []),
          capabilities: securityContext.capabilities,
          escalation: securityContext.allowPrivilegeEscalation,
          privileged: securityContext.privileged ?? false,
          variables: env
            .map((variable: Json) => variable.name)
            .filter((one: string) => !/^TRIBUTARY_/.test(one)),
          from: [envFrom ?? [], env.filter((variable: Json) => variable.valueFrom)].flat(),
          writes: volumeMounts
            .flatMap((mount: Json) => (mount.readOnly ? [] : mount.mountPath))
            .sort(),
        },
      ]),
    ),
  };
}

const ofTekton = ['/tekton/artifacts', '/tekton/creds', '/tekton/home', '/tekton/results'];
const container = (secrets: string[], capabilities: object, writes: string[]) => ({
  ...{ secrets, capabilities, escalation: false, privileged: false, from: [] },
  variables: ['HOME', 'DOCKER_CONFIG', 'XDG_STATE_HOME', 'TMPDIR'],
  writes: [...ofTekton, '/workspace', '/tmp', '/var/lib/tributary', ...writes].sort(),
});
const builder = { drop: ['ALL'], add: ['SETUID', 'SETGID'] };
const expected = {
  ...{ token: false, projected: [], shared: false },
  containers: {
    'step-fetch': container(['tributary-pull'], builder, ['/pod/in', '/tekton/run/0']),
    'step-run': container([], builder, ['/pod/out', '/tekton/run/1']),
    'step-push': container(['tributary-push'], { drop: ['ALL'] }, ['/tekton/run/2']),
  },
};
