import { describe, expect, test } from 'vitest';
import { inOwnNamespace } from '../../steps/task-input.ts';
import { renderTasks } from './render-tasks.ts';
import type { TaskStep } from './tekton-api.ts';

const tasks = renderTasks();
const containers = tasks.flatMap(({ metadata, spec }) =>
  spec.steps.map((step) => ({ id: `${metadata.name}/${step.name}`, step, volumes: spec.volumes })),
);
const container = (id: string): TaskStep => {
  const found = containers.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no container ${id}`);
  return found.step;
};

/** What each container may see and do: the whole list, so that nothing is added unseen. */
const expected = {
  'tributary-prepare/prepare': {
    user: 1000,
    added: [],
    readOnlyRoot: true,
    variables: ['RUN', 'TAG', 'LOCK', 'REBUILD'],
    more: [],
    mounts: ['push-secret ro /etc/tributary-push', 'git-secret ro /etc/tributary-git'],
  },
  'tributary-unit/fetch': {
    user: 0,
    added: ['SETUID', 'SETGID'],
    readOnlyRoot: false,
    variables: ['RUN', 'TAG', 'LOCK', 'PLAN', 'UNIT', 'REBUILD'],
    more: ['computeResources', 'onError'],
    mounts: ['in rw /pod/in', 'pull-secret ro /etc/tributary-pull'],
  },
  'tributary-unit/run': {
    user: 0,
    added: ['SETUID', 'SETGID'],
    readOnlyRoot: false,
    variables: ['RUN', 'TAG', 'LOCK', 'PLAN', 'UNIT', 'REBUILD'],
    more: ['onError'],
    mounts: ['in ro /pod/in', 'out rw /pod/out'],
  },
  'tributary-unit/push': {
    user: 1000,
    added: [],
    readOnlyRoot: true,
    variables: ['RUN', 'TAG', 'LOCK', 'PLAN', 'UNIT', 'REBUILD'],
    others: [
      'TRIBUTARY_PUSH_SECRET=/etc/tributary-push/$(context.taskRun.uid)',
      'TRIBUTARY_RESULTS=/tekton/steps/step-push/results',
    ],
    more: ['computeResources', 'results'],
    mounts: [
      ...['in ro /pod/in', 'out ro /pod/out'],
      // Where nobody else can know.
      'push-secret ro /etc/tributary-push/$(context.taskRun.uid)',
    ],
  },
  'tributary-assemble/assemble': {
    user: 1000,
    added: [],
    readOnlyRoot: true,
    variables: ['RUN', 'TAG', 'LOCK', 'PLAN', 'REBUILD', 'BUILD'],
    more: [],
    mounts: ['push-secret ro /etc/tributary-push', 'notify-secret ro /etc/tributary-notify'],
  },
  'tributary-report/report': {
    user: 1000,
    added: [],
    readOnlyRoot: true,
    variables: ['RUN', 'TAG', 'LOCK', 'REBUILD', 'BUILD', 'REASONS'],
    more: [],
    mounts: ['push-secret ro /etc/tributary-push', 'notify-secret ro /etc/tributary-notify'],
  },
} as const;

test('a run has these containers, and no others', () => {
  expect(containers.map(({ id }) => id)).toEqual(Object.keys(expected));
});

describe.for(Object.entries(expected))('%s', ([id, wanted]) => {
  const { name, command, env, securityContext, volumeMounts, image, ...rest } = container(id);

  test('runs the program with its phase, and no script', () => {
    const own = wanted.added.length === 0 ? [] : inOwnNamespace;
    expect(command).toEqual([...own, 'tributary', 'task', name]);
    expect(image).toBe('$(params.image)');
    expect(Object.keys(rest).toSorted()).toEqual(wanted.more);
  });

  test('has no more rights than these', () => {
    const { runAsUser, allowPrivilegeEscalation, capabilities, readOnlyRootFilesystem } =
      securityContext;
    expect(runAsUser).toBe(wanted.user);
    expect(allowPrivilegeEscalation).toBe(false);
    expect(capabilities).toEqual(
      wanted.added.length === 0 ? { drop: ['ALL'] } : { drop: ['ALL'], add: wanted.added },
    );
    expect(readOnlyRootFilesystem).toBe(wanted.readOnlyRoot);
    expect(securityContext.seccompProfile?.type).toBe(
      wanted.added.length === 0 ? 'RuntimeDefault' : undefined,
    );
  });

  test('has this environment alone', () => {
    expect(env.map(({ name: variable, value }) => `${variable}=${value}`)).toEqual([
      'TRIBUTARY_CONFIG=/etc/tributary/config.yaml',
      ...wanted.variables.map((one) => `TRIBUTARY_${one}=$(params.${one.toLowerCase()})`),
      ...('others' in wanted ? wanted.others : []),
      'HOME=/var/lib/tributary',
      'DOCKER_CONFIG=/var/lib/tributary/.docker',
      'XDG_STATE_HOME=/var/lib',
      'TMPDIR=/tmp',
    ]);
  });

  test('sees these volumes alone, of which home and /tmp are its own', () => {
    expect(
      volumeMounts.map(
        ({ name: volume, mountPath, readOnly }) =>
          `${volume} ${readOnly ? 'ro' : 'rw'} ${mountPath}`,
      ),
    ).toEqual([
      'configuration ro /etc/tributary',
      `${name}-home rw /var/lib/tributary`,
      `${name}-tmp rw /tmp`,
      ...wanted.mounts,
    ]);
  });
});

test('the push secret is never where code of a ref runs, and neither is any other secret', () => {
  const secrets = containers.flatMap(({ step, volumes }) =>
    step.volumeMounts.flatMap(({ name }) => {
      const volume = volumes.find((one) => one.name === name);
      return volume !== undefined && 'secret' in volume
        ? [`${step.name}: ${volume.secret.secretName}`]
        : [];
    }),
  );
  expect(secrets).toEqual([
    'prepare: tributary-push',
    'prepare: tributary-git',
    'fetch: tributary-pull',
    'push: tributary-push',
    'assemble: tributary-push',
    'assemble: tributary-notify',
    'report: tributary-push',
    'report: tributary-notify',
  ]);
});

test('what a unit tells Tekton comes from `push` alone', () => {
  const unit = tasks.find(({ metadata }) => metadata.name === 'tributary-unit');
  for (const { name, value } of unit?.spec.results ?? [])
    expect(value).toBe(`$(steps.push.results.${name})`);
  expect(container('tributary-unit/push').results?.map(({ name }) => name)).toEqual([
    ...['IMAGE_URL', 'IMAGE_DIGEST', 'IMAGES'],
  ]);
});

test('no volume outlives its pod', () => {
  for (const { volumes } of containers)
    for (const volume of volumes)
      expect(Object.keys(volume).filter((key) => key !== 'name')).toEqual([
        expect.stringMatching(/^(emptyDir|secret|projected)$/),
      ]);
});

test('every volume is used, and every parameter', () => {
  for (const { spec } of tasks) {
    const mounted = spec.steps.flatMap((step) => step.volumeMounts.map(({ name }) => name));
    expect(spec.volumes.map(({ name }) => name).filter((name) => !mounted.includes(name))).toEqual(
      [],
    );
    const text = JSON.stringify(spec.steps);
    for (const { name } of spec.params) expect(text).toContain(`$(params.${name})`);
  }
});
