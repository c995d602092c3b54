import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as sendRequest } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { renderTasks } from '../../src/engine/tekton/render-tasks.ts';
import { runningNode } from '../cluster/node.ts';
import { addresses, placesOf } from '../cluster/places.ts';
import {
  createNamespace,
  describeOnOurs,
  type TestCluster,
  type TestNamespace,
  testCluster,
} from '../support/cluster.ts';
import { type ClusterDemo, followGuide, startClusterDemo } from '../support/cluster-demo.ts';
import { type Definitions, define } from '../support/definitions.ts';
import { commandsOf } from '../support/guide.ts';
import { applyObjects } from '../support/install-rights.ts';
import { complaints, restrictedV2, seccompGiven } from '../support/scc.ts';
import type { Json } from '../support/service.ts';
import { tool } from '../support/tools.ts';

/**
 * The lines of the guide for OpenShift, all as they stand there, on a cluster that has OpenShift's kinds. What OpenShift does with them stands in here, and
 * is all that is not tried on one:
 *  - its API server gives a Route a host: here the kind has a default;
 *  - its router serves that host, by TLS: here a server on this machine, which goes by the Route;
 *  - its admission holds pods against SecurityContextConstraints: here `complaints` does, and the service runs as the user and group of a namespace
 *    that it would give; nothing holds SELinux against them;
 *  - `oc`: kubectl with `whoami`, by a kubeconfig with a token, as `oc login` leaves one.
 */
describeOnOurs('on OpenShift', {}, () => {
  let cluster: TestCluster;
  let space: TestNamespace;
  let demo: ClusterDemo;
  let definitions: Definitions;
  let router: AsyncDisposable;
  /** Who installs it, as the cluster calls them. */
  let account: string;
  const folder = mkdtempSync(join(tmpdir(), 'tributary-openshift-'));

  beforeAll(async () => {
    cluster = testCluster();
    space = await createNamespace(cluster, 'openshift');
    demo = await startClusterDemo(cluster);
    definitions = await define(
      space.kubectl,
      ['routes.route.openshift.io', 'securitycontextconstraints.security.openshift.io'],
      withHost,
    );
    router = await startRouter();
  }, 120_000);
  afterAll(async () => {
    await router?.[Symbol.asyncDispose]();
    await demo?.[Symbol.asyncDispose]();
    await definitions?.[Symbol.asyncDispose]();
    const ofCluster = [
      `clusterrolebinding/tributary:${space.name}`,
      'clusterrolebinding/openshift-admin',
    ];
    await cluster.kubectl(['delete', ...ofCluster, '--ignore-not-found']);
    await space?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test('the service is installed by the commands of the guide, and takes a first build through its Route', {
    timeout: 120_000,
  }, async () => {
    writeFileSync(join(folder, 'oc'), oc, { mode: 0o755 });
    const { pki } = placesOf(runningNode()?.folder ?? '');
    const authority = join(pki, 'ca.crt');
    const printed = await followGuide(
      commandsOf('guides/install-on-a-cluster.md', 'OpenShift'),
      ...([cluster, space, demo] as const),
      {
        configuration: { url: `https://${addresses.host}` },
        patches: [ofNamespace],
        env: {
          KUBECONFIG: await loggedIn(),
          PATH: `${folder}:${dirname(tool('kustomize'))}:${process.env['PATH']}`,
          ...{ CURL_CA_BUNDLE: authority, NODE_EXTRA_CA_CERTS: authority },
        },
      },
    );
    // What `curl` prints has no line of its own: the list of builds begins behind it.
    const [answer = ''] = /\{"tag":.*\}(?=TAG )/.exec(printed) ?? [];
    const { pipelinerun, tag, links } = JSON.parse(answer);
    expect(links.self).toBe(`https://${addresses.host}/api/builds/${tag}`);
    expect(printed).toMatch(new RegExp(`^${tag} `, 'm'));
    await space.kubectl(['get', 'pipelinerun', pipelinerun]);
    const bound = '--output=jsonpath={.subjects[0].name}';
    expect(await space.kubectl(['get', 'rolebinding', 'ada', bound])).toBe(account);
  });

  test('its own constraints admit the service, those of the overlay every pod of a build, and no less does', async () => {
    const { template } = (await read('deployment/tributary')).spec;
    const job = (await read('cronjob/tributary-prune')).spec.jobTemplate.spec.template;
    for (const pod of [withoutUser(template), job])
      expect(complaints(restrictedV2, pod)).toEqual([]);

    const scc = await read('securitycontextconstraints/tributary-build');
    for (const { task, pod } of await podsOfTasks()) {
      expect({ task, complaints: complaints(scc, pod) }).toEqual({ task, complaints: [] });
      expect(complaints(restrictedV2, pod), task).not.toEqual([]);
      // Pods have it written into them before the namespace's PodSecurity sees them.
      const seccompProfile = seccompGiven(scc);
      const spec = {
        ...pod.spec,
        securityContext: { ...pod.spec.securityContext, seccompProfile },
      };
      const { name } = pod.metadata;
      const admitted = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: `${name}-admitted` },
        spec,
      };
      await applyObjects(space.kubectl, [admitted], '--dry-run=server');
    }
  });

  async function read(...what: string[]): Promise<Json> {
    return JSON.parse(await space.kubectl(['get', ...what, '--output=json']));
  }

  /** A pod of each Task, as Tekton makes it. */
  async function podsOfTasks(): Promise<readonly { task: string; pod: Json }[]> {
    const tasks = renderTasks();
    const runs = tasks.map(({ metadata, spec }) => ({
      apiVersion: 'tekton.dev/v1',
      kind: 'TaskRun',
      metadata: { name: metadata.name },
      spec: {
        taskRef: { name: metadata.name },
        serviceAccountName: 'tributary-build',
        params: spec.params.map(({ name }) => ({
          name,
          value: name === 'image' ? cluster.image : '',
        })),
        podTemplate: {
          ...{ automountServiceAccountToken: false, enableServiceLinks: false },
          // They are looked at, and never run.
          nodeSelector: { nowhere: 'true' },
        },
      },
    }));
    await applyObjects(space.kubectl, runs);
    return Promise.all(
      tasks.map(async ({ metadata: { name: task } }) => {
        const there = ['--for=jsonpath={.status.podName}', '--timeout=30s'];
        await space.kubectl(['wait', `taskrun/${task}`, ...there]);
        return { task, pod: await read(`pod/${task}-pod`) };
      }),
    );
  }

  /** A kubeconfig like that of `oc login`: who it is may do everything, by a token. */
  async function loggedIn(): Promise<string> {
    await space.kubectl(['create', 'serviceaccount', 'administrator']);
    await cluster.kubectl([
      ...['create', 'clusterrolebinding', 'openshift-admin', '--clusterrole=cluster-admin'],
      `--serviceaccount=${space.name}:administrator`,
    ]);
    account = `system:serviceaccount:${space.name}:administrator`;
    const given = parse(readFileSync(cluster.kubeconfig, 'utf8'));
    const token = (await space.kubectl(['create', 'token', 'administrator'])).trim();
    const users = given.users.map(({ name }: Json) => ({ name, user: { token } }));
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, stringify({ ...given, users }));
    return kubeconfig;
  }

  /** Serves what the Route says, on its host. */
  async function startRouter(): Promise<AsyncDisposable> {
    const { pki } = placesOf(runningNode()?.folder ?? '');
    const file = (name: string) => readFileSync(join(pki, name));
    const target = async () => {
      const { to, port, tls } = (await read('route/tributary')).spec;
      expect(tls.termination).toBe('edge');
      const { clusterIP, ports } = (await read(`service/${to.name}`)).spec;
      const found = ports.find(({ name }: Json) => name === port.targetPort);
      return { host: clusterIP, port: found.port };
    };
    const identity = { cert: file('router.crt'), key: file('router.key') };
    const server = createServer(identity, async (request, response) => {
      const { method, url: path, headers } = request;
      const onward = sendRequest({ ...(await target()), method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', (error) => response.destroy(error));
      request.pipe(onward);
    });
    server.listen(443, addresses.host);
    await once(server, 'listening');
    return {
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      },
    };
  }
});

/** Gives Routes a host, as OpenShift's API server does. */
function withHost(definition: Json): Json {
  const [version] = definition.spec.versions;
  const { spec } = version.schema.openAPIV3Schema.properties;
  if (spec?.properties.host !== undefined) spec.properties.host.default = addresses.host;
  return definition;
}

const oc = `#!/bin/sh
case "$*" in
  whoami) exec kubectl auth whoami --output=jsonpath='{.status.userInfo.username}' ;;
  'whoami -t') exec kubectl config view --raw --minify --output=jsonpath='{.users[0].user.token}' ;;
  *) exec kubectl "$@" ;;
esac
`;

/** What `restricted-v2` writes into pods of the service: a user and a group of the namespace's range. */
const ofNamespace = {
  target: { kind: 'Deployment' },
  patch: stringify([
    { op: 'add', path: '/spec/template/spec/securityContext/runAsUser', value: 1_000_680_000 },
    { op: 'add', path: '/spec/template/spec/securityContext/fsGroup', value: 1_000_680_000 },
  ]),
};

/** As it was before the user was written into it. */
function withoutUser({ spec }: Json): Json {
  const { runAsUser: _user, fsGroup: _group, ...securityContext } = spec.securityContext;
  return { spec: { ...spec, securityContext } };
}
