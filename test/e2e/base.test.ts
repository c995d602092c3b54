import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/adapters/processes/command.ts';
import {
  createNamespace,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import { pushTinyBundle } from '../support/tiny-bundle.ts';
import { tool } from '../support/tools.ts';

/** What every other test on a cluster relies on. */
let cluster: TestCluster;
let space: TestNamespace;
const folder = mkdtempSync(join(tmpdir(), 'tributary-e2e-'));

beforeAll(async () => {
  cluster = testCluster();
  space = await createNamespace(cluster, 'base');
});

afterAll(async () => {
  await space[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test('Kubernetes, Tekton and OLM answer', async () => {
  const served = await cluster.kubectl(['api-resources', '--output=name']);
  expect(served.split('\n')).toEqual(
    expect.arrayContaining([
      'pods',
      'pipelineruns.tekton.dev',
      'subscriptions.operators.coreos.com',
    ]),
  );
});

describe('the registry', () => {
  const name = () => `${cluster.registry}/${space.name}/copy:1`;

  test('refuses to be written without the push secret, and is read without', () => {
    expect(() => copy(cluster.image, name(), {})).toThrow(/denied|unauthorized/);
    copy(cluster.image, name(), { DOCKER_CONFIG: cluster.pushSecret });
    expect(digest(name())).toBe(digest(cluster.image));
  });

  test('has the same under a name with TLS', () => {
    const secure = `${cluster.tlsRegistry}/${space.name}/copy:1`;
    const trust = cluster.authority === undefined ? {} : { SSL_CERT_FILE: cluster.authority };
    expect(skopeo(['inspect', '--format={{.Digest}}', `docker://${secure}`], trust)).toBe(
      digest(name()),
    );
  });

  function copy(from: string, to: string, env: Readonly<Record<string, string>>): void {
    const plain = cluster.insecure ? ['--src-tls-verify=false', '--dest-tls-verify=false'] : [];
    skopeo(['copy', '--quiet', ...plain, `docker://${from}`, `docker://${to}`], env);
  }

  function digest(reference: string): string {
    const plain = cluster.insecure ? ['--tls-verify=false'] : [];
    return skopeo(['inspect', '--format={{.Digest}}', ...plain, `docker://${reference}`], {});
  }
});

test('a TaskRun on the image of Tributary runs to its end', async () => {
  const taskRun = {
    apiVersion: 'tekton.dev/v1',
    kind: 'TaskRun',
    metadata: { name: 'programs' },
    spec: {
      podTemplate: { automountServiceAccountToken: false },
      taskSpec: {
        results: [{ name: 'said' }],
        steps: [
          {
            name: 'programs',
            image: cluster.image,
            script:
              '#!/bin/sh\nset -e\ngit --version; buildah --version\nprintf done > $(results.said.path)\n',
          },
        ],
      },
    },
  };
  await space.kubectl(['apply', '--filename=-'], JSON.stringify(taskRun));
  await space.kubectl(['wait', 'taskrun/programs', '--for=condition=Succeeded', '--timeout=120s']);
  const said = '--output=jsonpath={.status.results[0].value}';
  expect(await space.kubectl(['get', 'taskrun/programs', said])).toBe('done');
  const log = await space.kubectl(['logs', 'programs-pod', '--container=step-programs']);
  expect(log).toMatch(/git version 2\..*\nbuildah version 1\./);
});

test('OLM installs a bundle, and operator-sdk removes it', async () => {
  const bundle = await pushTinyBundle(cluster, space.name);
  await operatorSdk('run', 'bundle', bundle, ...cluster.runBundle, '--timeout=3m');
  const phase = '--output=jsonpath={.items[0].status.phase}';
  expect(await space.kubectl(['get', 'csv', phase])).toBe('Succeeded');
  await operatorSdk('cleanup', 'tiny', '--timeout=90s');
  expect(await space.kubectl(['get', 'csv,subscription', '--output=name'])).toBe('');
});

async function operatorSdk(...args: string[]): Promise<void> {
  const trust = cluster.authority === undefined ? {} : { SSL_CERT_FILE: cluster.authority };
  const env = { KUBECONFIG: cluster.kubeconfig, HOME: folder, ...trust };
  const where = ['--namespace', space.name];
  const { exitCode, stdout, stderr } = await run(tool('operator-sdk'), [...args, ...where], {
    cwd: folder,
    env,
  });
  expect(exitCode, `${stdout}${stderr}`).toBe(0);
}

function skopeo(args: readonly string[], env: Readonly<Record<string, string>>): string {
  // Whatever credentials the machine has: only those of the test count.
  const bare = { PATH: process.env['PATH'], HOME: folder, XDG_RUNTIME_DIR: folder, ...env };
  return execFileSync('skopeo', args, { env: bare, encoding: 'utf8', stdio: 'pipe' }).trim();
}
