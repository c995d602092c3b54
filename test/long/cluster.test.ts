import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { podGroup } from '../cluster/control-group.ts';
import { kubectlFor } from '../cluster/kubectl.ts';
import { type Node, runningNode } from '../cluster/node.ts';
import { placesOf } from '../cluster/places.ts';
import { killOnNode } from '../cluster/programs.ts';

/** The life of `make cluster`'s cluster. It is the machine's only one: where one runs, these tests do not. */
const folder = mkdtempSync(join(tmpdir(), 'tributary-cluster-'));
const kubectl = kubectlFor(placesOf(folder).kubeconfig);

afterAll(async () => {
  if (runningNode()?.folder === folder) await cluster('down');
  rmSync(folder, { recursive: true });
});

test('a start that was killed is mended, and an end leaves nothing', async () => {
  expect(runningNode(), 'a cluster runs: `make cluster-down` first').toBeUndefined();
  const before = traces();

  const killed = start('up');
  await said(killed, /containerd/);
  killed.kill('SIGKILL');

  expect(await cluster('up')).toMatch(/s {2}Tekton\n[\s\S]*The cluster runs/);
  await kubectl(['get', 'crd/pipelineruns.tekton.dev']);
  expect(traces()).not.toEqual(before);

  await cluster('down');
  expect(traces()).toEqual(before);
});

test('a node that was killed begins anew, a program that was killed begins again', async () => {
  await cluster('up');
  await kubectl(['create', 'namespace', 'kept']);
  await killOnNode(runningNode() as Node, 'kube-apiserver');
  await killOnNode(runningNode() as Node, 'kube-scheduler');
  expect(await cluster('up')).not.toMatch(/Tekton\n/);
  await kubectl(['get', 'namespace/kept']);

  process.kill(runningNode()?.keeper.pid ?? 0, 'SIGKILL');
  expect(await cluster('up')).toMatch(/Tekton\n/);
  await expect(kubectl(['get', 'namespace/kept'])).rejects.toThrow(/not found/);
});

/** What a cluster may leave on a machine. */
function traces(): object {
  const lines = (program: string, ...args: string[]) =>
    execFileSync(program, args, { encoding: 'utf8' }).split('\n');
  return {
    links: lines('ip', '-oneline', 'link').map((line) => line.split(':')[1]),
    routes: lines('ip', 'route'),
    mounts: readFileSync('/proc/mounts', 'utf8').split('\n'),
    rules: lines('iptables-save').filter((line) => line.startsWith('-')),
    groups: ['', '/pids'].filter((name) => existsSync(`/sys/fs/cgroup${name}${podGroup}`)),
    processes: lines('ps', '-eo', 'args').filter((line) => line.includes(`${folder}/run/`)),
  };
}

function start(verb: string): ChildProcess {
  return spawn(process.execPath, [join(import.meta.dirname, '../cluster/main.ts'), verb], {
    env: { ...process.env, TRIBUTARY_CLUSTER: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function cluster(verb: string): Promise<string> {
  const child = start(verb);
  const text = said(child, undefined);
  expect(await new Promise((done) => child.once('close', done))).toBe(0);
  return text;
}

/** All that it says until it says this, or ends. */
function said(child: ChildProcess, what: RegExp | undefined): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.on('data', (piece: Buffer) => {
      text += piece;
      if (what?.test(text)) resolve(text);
    });
    child.once('close', () => resolve(text));
  });
}
