import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNamespace, type TestNamespace, testCluster } from '../support/cluster.ts';
import { applyObjects, installRights } from '../support/install-rights.ts';
import { renderOverlay } from '../support/render-overlay.ts';

let space: TestNamespace;
let rights: AsyncDisposable;
beforeAll(async () => {
  space = await createNamespace(testCluster(), 'permissions');
  rights = await installRights(space);
});
afterAll(async () => {
  await rights[Symbol.asyncDispose]();
  await space[Symbol.asyncDispose]();
});

test('an API server takes everything that the overlay applies', async () => {
  await applyObjects(space.kubectl, renderOverlay('kubernetes', space.name), '--dry-run=server');
});

const few = pLimit(4);
const runs = 'pipelineruns.tekton.dev';

describe.for([
  [
    'tributary',
    [
      ...[`create ${runs}`, `get ${runs}`, `list ${runs}`, `watch ${runs}`, `patch ${runs}`],
      ...['list taskruns.tekton.dev', 'watch taskruns.tekton.dev', 'get pods', 'get pods/log'],
      ...['create configmaps', 'get configmaps', 'list configmaps', 'delete configmaps'],
      'create tokenreviews.authentication.k8s.io',
      'create subjectaccessreviews.authorization.k8s.io',
    ],
    [
      ...['get secrets', 'list secrets', 'create pods', 'create pods/exec', 'delete pods'],
      'list pods',
      ...[`delete ${runs}`, 'create taskruns.tekton.dev', 'update tasks.tekton.dev'],
      ...['update configmaps', 'create serviceaccounts/token', 'impersonate users'],
      ...[
        'create roles.rbac.authorization.k8s.io',
        'create rolebindings.rbac.authorization.k8s.io',
      ],
      ...['get nodes', 'get namespaces'],
    ],
  ],
  [
    'tributary-build',
    [],
    [
      ...['get pods', 'get secrets', 'get configmaps', `get ${runs}`, `create ${runs}`],
      ...['create tokenreviews.authentication.k8s.io', 'create pods'],
    ],
  ],
  [
    'tributary-prune',
    [`list ${runs}`, `delete ${runs}`],
    [`create ${runs}`, `patch ${runs}`, 'get secrets', 'get configmaps', 'delete pods'],
  ],
  [
    'viewer',
    [`get ${runs}`, `list ${runs}`, `watch ${runs}`, 'get taskruns.tekton.dev'],
    [
      ...[`create ${runs}`, `create ${runs}/build`, `update ${runs}/build`],
      ...[`create ${runs}/approval`, 'get secrets', 'create pods', 'get configmaps'],
    ],
  ],
  [
    'builder',
    [`get ${runs}`, `create ${runs}/build`, `update ${runs}/build`],
    [
      ...[`create ${runs}`, `update ${runs}`, `patch ${runs}`, `delete ${runs}`],
      ...[`create ${runs}/approval`, `delete ${runs}/approval`, 'create taskruns.tekton.dev'],
      ...['create configmaps', 'get secrets', 'create pods', 'create pods/exec'],
    ],
  ],
  [
    'approver',
    [`get ${runs}`, `create ${runs}/approval`, `delete ${runs}/approval`],
    [
      ...[`create ${runs}`, `create ${runs}/build`, `update ${runs}/build`, `patch ${runs}`],
      ...['create configmaps', 'delete configmaps', 'get secrets', 'create pods'],
    ],
  ],
] as const)('%s', ([account, allowed, refused]) => {
  async function may(right: string): Promise<boolean> {
    const [verb = '', resource = '', subresource] = right.split(/[ /]/);
    const sub = subresource === undefined ? [] : [`--subresource=${subresource}`];
    return canI(account, [verb, resource, ...sub]);
  }

  const those = async (rights: readonly string[], answer: boolean) => {
    const found = await Promise.all(
      rights.map((right) => few(async () => ((await may(right)) === answer ? [right] : []))),
    );
    return found.flat();
  };

  test('may do what it needs', async () => {
    expect(await those(allowed, false)).toEqual([]);
  });

  test('may do nothing else', async () => {
    expect(await those(refused, true)).toEqual([]);
  });
});

test('the service has no right in another namespace', async () => {
  expect(await canI('tributary', ['get', 'pods', '--namespace=default'])).toBe(false);
});

async function canI(account: string, asked: readonly string[]): Promise<boolean> {
  const as = `--as=system:serviceaccount:${space.name}:${account}`;
  // It ends with 1 where the answer is no.
  const answer = await space.kubectl(['auth', 'can-i', ...asked, as]).catch(() => 'no');
  return answer.trim() === 'yes';
}
