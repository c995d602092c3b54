import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { FakeIo } from '../../test/support/fake-io.ts';
import { exampleBuild, FakeService, failure } from '../../test/support/fake-service.ts';
import * as schema from '../api/schema.ts';
import type { Build } from '../builds/build.ts';
import type { BuildChange, BuildEvent } from '../builds/event.ts';
import { reasons } from '../builds/failure.ts';
import type { Digest, Key } from '../plan/names.ts';
import { exitCodes } from './exit-codes.ts';
import { runCli } from './program.ts';

const tag = exampleBuild.tag;
const ref = 'tektoncd/pipeline#4638';

async function run(
  args: readonly string[],
  options: { service?: FakeService; io?: FakeIo; kind?: 'remote' | 'local' } = {},
) {
  const io = options.io ?? new FakeIo();
  const service = options.service ?? new FakeService();
  let closed = false;
  const untilClosed = new Proxy(service, {
    get(target, key) {
      if (closed) throw new Error(`${String(key)} is asked of a service that was closed`);
      return Reflect.get(target, key, target);
    },
  });
  const code = await runCli(args, io, async () => ({
    service: untilClosed,
    kind: options.kind ?? 'remote',
    [Symbol.asyncDispose]: async () => {
      closed = true;
    },
  }));
  return { code, out: io.written.out, err: io.written.err, service, io };
}

const digest = `sha256:${'1'.repeat(64)}` as Digest;
const made = { kind: 'image', key: 'a'.repeat(64) as Key, digest, image: 'x' } as const;
const changes: BuildChange[] = [
  { kind: 'queued' },
  { kind: 'started' },
  { kind: 'step-started', step: 'prepare' },
  { kind: 'step-finished', step: 'prepare', output: null },
  {
    kind: 'planned',
    patches: [],
    steps: [
      { id: 'image/controller', kind: 'image', needs: ['prepare'], weight: 30 },
      { id: 'image/webhook', kind: 'image', needs: ['prepare'], weight: 30 },
      { id: 'bundle', kind: 'bundle', needs: ['image/controller'], weight: 3 },
    ],
  },
  { kind: 'step-started', step: 'image/controller' },
  { kind: 'step-progress', step: 'image/controller', text: 'compiling' },
  {
    ...{ kind: 'step-retrying', step: 'image/controller' },
    ...{ what: 'registry r', why: 'it answered 503', retry: 1, seconds: 4 },
  },
  { kind: 'step-finished', step: 'image/webhook', output: { ...made, reused: true } },
  { kind: 'step-finished', step: 'image/controller', output: { ...made, reused: false } },
  { kind: 'succeeded' },
];
const events = changes.map(
  (change, index): BuildEvent => ({
    ...change,
    id: `1/${index}`,
    at: new Date(Date.parse('2026-11-23T10:00:00Z') + index * 1000).toISOString(),
    attempt: 1,
  }),
);

function following(): FakeService {
  const service = new FakeService();
  service.told = events;
  return service;
}

const failedBuild: Build = {
  ...exampleBuild,
  state: 'failed',
  inclusion: [],
  unpullable: [],
  failure: {
    ...failure('merge-conflict', { about: { files: ['go.mod', 'go.sum'] } }),
    owner: 'ref',
    step: 'prepare',
  },
};

describe('golden output', () => {
  test.for([
    ['build', ['build', ref, '--name', 'test-my-thing']],
    ['status', ['status', tag]],
    ['status-verbose', ['status', tag, '--verbose']],
    ['list', ['list']],
    ['plan', ['plan', ref]],
    ['components', ['components']],
    ['install', ['install', tag]],
    ['logs', ['logs', tag, 'prepare']],
    ['help', ['--help']],
    ['build-help', ['build', '--help']],
  ] as const)('%s', async ([name, args]) => {
    const { code, out, err } = await run(args, { service: following() });
    expect(err).toBe('');
    expect(code).toBe(0);
    await expect(out).toMatchFileSnapshot(`golden/${name}.txt`);
  });

  test('on a terminal digests are short', async () => {
    const io = new FakeIo();
    io.terminal = true;
    const { out } = await run(['--no-color', 'status', tag], { service: following(), io });
    expect(out).toMatch(/controller +built +sha256:1{12}\n/);
    expect(out).toMatch(/^Bundle .* sha256:1{12}$/m);
  });

  test.for([
    ['--mine', { mine: true }],
    ['--requester=grace', { requester: 'grace' }],
  ] as const)('list %s asks for those builds', async ([flag, query]) => {
    const service = new FakeService();
    expect((await run(['list', flag], { service })).code).toBe(0);
    expect(service.queries).toEqual([{ limit: 20, ...query }]);
  });

  test('a list that lacks something says so, and is shown', async () => {
    const service = following();
    service.page = { incomplete: failure('registry-unavailable') };
    const { code, out, err } = await run(['list'], { service });
    expect([code, err]).toEqual([0, expect.stringContaining(service.page.incomplete?.hint ?? '-')]);
    expect(out).toContain(tag);
  });

  test('a failed build tells what, where, whose and what next', async () => {
    const service = following();
    service.build = failedBuild;
    const { code, out } = await run(['status', tag], { service });
    expect(code).toBe(3);
    await expect(out).toMatchFileSnapshot('golden/status-failed.txt');
  });
});

describe('--json is what the schema says', () => {
  test.for([
    ['build', ['build', ref, '--name', 'n', '--json'], schema.Build],
    ['build --no-wait', ['build', ref, '--name', 'n', '--json', '--no-wait'], schema.Submitted],
    ['status', ['--json', 'status', tag], schema.Build],
    ['list', ['list', '--json'], schema.BuildPage],
    ['plan', ['plan', ref, '--json'], schema.PlanAnswer],
    ['components', ['components', '--json'], schema.Components],
    ['install', ['install', tag, '--json'], schema.Install],
  ] as const)('%s', async ([, args, answer]) => {
    const { code, out, err } = await run(args, { service: following() });
    expect([code, err]).toEqual([0, '']);
    expect(answer.safeParse(JSON.parse(out)).error).toBeUndefined();
    expect(out.trimEnd().split('\n')).toHaveLength(1);
  });

  test('status --follow: an event on each line, and the build last', async () => {
    const { out } = await run(['status', tag, '--follow', '--json'], { service: following() });
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.slice(0, -1).map((line) => schema.BuildEvent.parse(line).kind)).toEqual(
      changes.map(({ kind }) => kind),
    );
    expect(schema.Build.parse(lines.at(-1)).tag).toBe(tag);
  });

  test('a failure is one problem on stdout', async () => {
    const service = new FakeService();
    service.failures = [failure('bad-name'), failure('bad-ref')];
    const { code, out, err } = await run(['build', ref, '--json'], { service });
    expect([code, err]).toEqual([2, '']);
    expect(schema.Problem.parse(JSON.parse(out)).problems.map(({ reason }) => reason)).toEqual([
      'bad-name',
      'bad-ref',
    ]);
  });
});

describe('the request that is made of refs and flags', () => {
  test('flags are its fields', async () => {
    const { service } = await run([
      ...[
        'build',
        ref,
        'tektoncd/operator=vdemeester/tektoncd-operator@shiny',
        '--name',
        'n',
        '--release',
        '1.23',
      ],
      ...[
        '--as',
        'merge',
        '--as',
        'tektoncd/operator=head',
        '--base',
        'tektoncd/pipeline=main',
        '--remote',
        'demo',
        '--strategy',
        'makefile',
      ],
      ...['--patches', 'tektoncd/pipeline=none', '--patches', 'tektoncd/operator=1.patch,2.patch'],
      ...['--notify', 'team', '--notify', 'me', '--rebuild', '--product-ref', 'a/b#1'],
    ]);
    expect(service.bodies).toEqual([
      {
        name: 'n',
        release: '1.23',
        product: 'a/b#1',
        strategy: 'makefile',
        remote: 'demo',
        notify: ['team', 'me'],
        patches: {
          'tektoncd/pipeline': 'none',
          'tektoncd/operator': { skip: ['1.patch', '2.patch'] },
        },
        rebuild: true,
        components: {
          'tektoncd/pipeline': { ref, as: 'merge', base: 'main' },
          'tektoncd/operator': { ref: 'vdemeester/tektoncd-operator@shiny', as: 'head' },
        },
      },
    ]);
  });

  test('without a ref the product is asked for as it is, and the command says so', async () => {
    const service = new FakeService();
    service.build = { ...exampleBuild, components: {} };
    const { out } = await run(['build', '--name', 'base', '--no-wait'], { service });
    expect(service.bodies).toEqual([{ name: 'base', components: {} }]);
    expect(out).toContain('The product as it is');
  });

  test('a file or standard input gives the request, and flags stand above it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tributary-cli-'));
    await writeFile(join(folder, 'r.json'), '{"name": "n", "components": {"a/b": "a/b#1"}}');
    const io = new FakeIo();
    io.input = '{"name": "m", "components": {"a/b": "a/b#2"}}';
    const service = new FakeService();
    await run(['build', '--request', join(folder, 'r.json'), '--name', 'other'], { service });
    await run(['build', '--request', '-'], { service, io });
    io.input = '{"name": "forgotten"}';
    await run(['build', '--request', '-'], { service, io });
    await rm(folder, { recursive: true });
    expect(service.bodies).toEqual([
      { name: 'other', components: { 'a/b': 'a/b#1' } },
      { name: 'm', components: { 'a/b': 'a/b#2' } },
      { name: 'forgotten' },
    ]);
  });

  test.for([
    [
      'one component twice',
      ['build', ref, 'tektoncd/pipeline#1'],
      'tektoncd/pipeline is named twice',
    ],
    [
      'a flag for another component',
      ['build', ref, '--base', 'a/b=main'],
      '--base names a/b, which no ref is for',
    ],
    [
      'patches of no component',
      ['build', ref, '--patches', 'none'],
      '--patches none cannot be read',
    ],
    ['a flag for refs without a ref', ['build', '--as', 'pick'], '--as is given, and no ref'],
    ['a ref of nobody', ['build', 'me/other#1'], '"me/other" is not the repository of a component'],
    [
      'a request that is not there',
      ['build', '--request', '/nowhere.json'],
      '/nowhere.json cannot be read',
    ],
  ] as const)('refuses %s', async ([, args, text]) => {
    const { code, err, service } = await run(args);
    expect([code, service.bodies]).toEqual([2, []]);
    expect(err).toContain(text);
    expect(err.trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('exit codes', () => {
  test('every reason has one that --help documents', () => {
    for (const { exit } of Object.values(reasons))
      expect(Object.keys(exitCodes)).toContain(String(exit));
  });

  test.for([
    ['no such build', ['status', 'other-000000'], 5],
    ['a verb that is none', ['biuld'], 2],
    ['a missing argument', ['status'], 2],
    ['a limit of zero', ['list', '--limit', '0'], 2],
    ['two requesters', ['list', '--mine', '--requester', 'grace'], 2],
    ['an unknown flag', ['list', '--al'], 2],
    ['an unknown shell', ['completion', 'tcsh'], 2],
    ['the version', ['--version'], 0],
  ] as const)('%s', async ([, args, expected]) => {
    expect((await run(args)).code).toBe(expected);
  });

  test('a mistyped verb is told the nearest', async () => {
    expect((await run(['biuld'])).err).toContain('Did you mean build?');
  });

  test.for([
    ['succeeded', exampleBuild, 0],
    ['failed by its code', failedBuild, 3],
    ['cancelled', { ...exampleBuild, state: 'cancelled' } as Build, 6],
  ] as const)('a build that was followed and has %s', async ([, build, expected]) => {
    const service = following();
    service.build = build;
    expect((await run(['build', ref, '--name', 'n'], { service })).code).toBe(expected);
  });

  test('a bug is told with its trace, and is 70', async () => {
    const service = new FakeService();
    service.bug = new TypeError('oops');
    const { code, err } = await run(['components'], { service });
    expect([code, err]).toEqual([70, expect.stringContaining('TypeError: oops')]);
  });
});

describe('Ctrl-C', () => {
  function endless(): { service: FakeService; io: FakeIo } {
    const service = following();
    service.build = { ...exampleBuild, state: 'running' };
    service.told = events.slice(0, 3);
    const cancel = service.cancel.bind(service);
    service.more = new Promise((resolve) => {
      service.cancel = async (asked) => {
        const outcome = await cancel(asked);
        resolve([
          { kind: 'cancelled', id: '1/build/cancelled', at: '2026-11-23T10:00:09Z', attempt: 1 },
        ]);
        return outcome;
      };
    });
    return { service, io: new FakeIo() };
  }

  test('cancels the build that the command asked for, and waits for its end', async () => {
    const { service, io } = endless();
    io.interruptWhen((out) => out.includes('prepare: started'));
    const { code, out } = await run(['build', ref, '--name', 'n'], { service, io });
    expect([code, service.cancelled]).toEqual([6, [tag]]);
    expect(out).toContain('cancelled');
  });

  test('leaves a build alone that was only watched', async () => {
    const { service, io } = endless();
    io.interruptWhen((out) => out.includes('prepare: started'));
    const { code, err } = await run(['status', tag, '--follow'], { service, io });
    expect([code, service.cancelled]).toEqual([0, []]);
    expect(err).toContain('The build is not cancelled');
  });

  test('a second one ends at once', async () => {
    const { service, io } = endless();
    service.cancel = () => new Promise(() => {});
    io.interruptWhen((out) => out.includes('prepare: started'), 2);
    void run(['build', ref, '--name', 'n'], { service, io });
    await vi.waitFor(() => expect(io.exits).toEqual([130]), 10_000);
  });
});

test('--no-wait needs a service that goes on building', async () => {
  const { code, err } = await run(['build', ref, '--name', 'n', '--no-wait'], { kind: 'local' });
  expect([code, err]).toEqual([2, expect.stringContaining('tributary serve')]);
});

test('a request that is known and failed by its code is told with the way to rerun it', async () => {
  const service = following();
  service.build = failedBuild;
  service.outcome = 'known';
  const { code, err } = await run(['build', ref, '--name', 'n', '--no-wait'], { service });
  expect([code, err]).toEqual([3, expect.stringContaining(`tributary rerun ${tag}`)]);
});

test('a request that is known and over is not followed again', async () => {
  const service = following();
  service.build = failedBuild;
  service.outcome = 'known';
  const { code, out, err } = await run(['build', ref, '--name', 'n'], { service });
  expect([code, err]).toEqual([3, `It failed before. To try again: tributary rerun ${tag}\n`]);
  expect(out).toContain('failed');
  expect(out).not.toContain('prepare: started');
});

test('events of earlier attempts are left out', async () => {
  const service = following();
  service.build = { ...exampleBuild, attempt: 2 };
  service.told = [...events, ...events.map((event) => ({ ...event, attempt: 2 }))];
  const { out } = await run(['status', tag, '--follow'], { service });
  expect(out.match(/prepare: started/g)).toHaveLength(1);
  expect(out).toContain('queued, attempt 2');
});

test('output of a program in a failure is told line by line, without its escape sequences', async () => {
  const service = new FakeService();
  const output = ['main.go:7: wrong', '\u001b[2Jgone'];
  service.failures = [
    failure('image-build-failed', { about: { output, files: ['a.go', 'b.go'] } }),
  ];
  const { err } = await run(['build', ref, '--name', 'n'], { service });
  expect(err).toContain('  output:\n    main.go:7: wrong\n    gone\n  files: a.go, b.go\n');
});

test.for(['bash', 'zsh', 'fish'])('completion for %s knows every verb', async (shell) => {
  const { out } = await run(['completion', shell]);
  for (const verb of ['build', 'plan', 'status', 'doctor', 'components'])
    expect(out).toContain(verb);
});

describe('logs', () => {
  test('of no step in particular are those of every step that has begun', async () => {
    const { code, out } = await run(['logs', tag]);
    expect(code).toBe(0);
    expect(out.match(/==> .* <==/g)).toEqual([
      '==> prepare <==',
      '==> image/openshift-pipelines-controller <==',
      '==> image/openshift-pipelines-webhook <==',
    ]);
  });

  test('with --follow go on with steps that begin later, until the build ends', async () => {
    const service = new FakeService();
    const [prepare, image, webhook] = exampleBuild.steps;
    if (!prepare || !image || !webhook) throw new Error('the example has three steps');
    const { startedAt: _, ...waiting } = image;
    service.build = { ...exampleBuild, state: 'running', steps: [prepare, waiting] };
    setTimeout(() => {
      service.build = { ...exampleBuild, steps: [prepare, image] };
    }, 50);
    const { out } = await run(['logs', tag, '--follow'], { service });
    expect(out).toBe(
      '==> prepare <==\nlog of prepare\ndone\n\n==> image/openshift-pipelines-controller <==\nlog of image/openshift-pipelines-controller\ndone\n',
    );
  });

  test('--json: a line for each piece, with its step', async () => {
    const { out } = await run(['logs', tag, 'prepare', '--json']);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { step: 'prepare', text: 'log of prepare\n' },
      { step: 'prepare', text: 'done\n' },
    ]);
  });

  test('of a step that is not there: 5', async () => {
    expect((await run(['logs', tag, 'image/none'])).code).toBe(5);
  });
});

describe('vouching for commits', () => {
  const commit = 'b3cbe872a3231dbf0c7d7cd59ae08329db9b22cc';

  test('approve, list and withdraw', async () => {
    const service = new FakeService();
    const approved = await run(['approve', `${ref}@${commit}`], { service });
    expect([approved.code, approved.out]).toEqual([
      0,
      `${commit} of ${ref} is approved. Whoever asks for it now gets it built.\n`,
    ]);
    const again = await run(['approve', `${ref}@${commit}`], { service });
    expect(again.out).toContain('is approved before, by ada');
    const list = await run(['approvals'], { service });
    expect(list.out).toContain(`${commit}  ${ref}  ada  2026-11-23 10:00:00`);
    expect((await run(['withdraw', `${ref}@${commit}`], { service })).code).toBe(0);
    expect((await run(['withdraw', commit], { service })).code).toBe(5);
    expect((await run(['approvals'], { service })).err).toBe('Nothing is approved.\n');
  });

  test('a ref without its commit is refused: what is there now may not be what was looked at', async () => {
    const { code, err } = await run(['approve', ref]);
    expect([code, err]).toEqual([2, expect.stringContaining('No commit is named')]);
  });
});
