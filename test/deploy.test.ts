import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { attributes, type Permission, roles } from '../src/access/caller.ts';
import { parseConfiguration } from '../src/config/parse-config.ts';
import { tagLabel } from '../src/engine/tekton/run-names.ts';
import { parseProduct } from '../src/product/load-product.ts';
import { commandsOf, runCommands } from './support/guide.ts';
import { renderOverlay } from './support/render-overlay.ts';
import type { Json } from './support/service.ts';

const checkout = join(import.meta.dirname, '..');
const overlays = ['kubernetes', 'openshift', 'knative'] as const;

/** Everything that `kubectl apply -k` of an overlay applies, by `Kind/name`. */
function build(overlay: (typeof overlays)[number]): ReadonlyMap<string, Json> {
  return new Map(renderOverlay(overlay).map((one) => [`${one.kind}/${one.metadata.name}`, one]));
}

const built = Object.fromEntries(overlays.map((name) => [name, build(name)])) as Record<
  (typeof overlays)[number],
  ReadonlyMap<string, Json>
>;
const find = (overlay: (typeof overlays)[number], name: string): Json => {
  const object = built[overlay].get(name);
  if (object === undefined) throw new Error(`${overlay} has no ${name}`);
  return object;
};

/** The pod template of the service. */
function serviceOf(overlay: (typeof overlays)[number]): Json {
  return find(overlay, overlay === 'knative' ? 'Service/tributary' : 'Deployment/tributary').spec
    .template.spec;
}

describe.for(overlays)('%s', (overlay) => {
  test('the service has no right on its machine and no file that it may write but its caches', () => {
    const { containers, volumes, securityContext = {} } = serviceOf(overlay);
    const [container] = containers;
    expect({ ...securityContext, ...container.securityContext }).toMatchObject({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    const writable = container.volumeMounts.filter(({ readOnly }: Json) => readOnly !== true);
    for (const { name } of writable)
      expect(volumes.find((volume: Json) => volume.name === name)).toHaveProperty('emptyDir');
    expect(container.readinessProbe.httpGet.path).toBe('/readyz');
    expect(container.resources.limits).toHaveProperty('memory');
  });

  test('the push secret is none of the service', () => {
    expect(JSON.stringify(serviceOf(overlay))).not.toContain('tributary-push');
  });

  test('configuration and product can be read, and guard the service', () => {
    const config = find(overlay, 'ConfigMap/tributary-config').data['config.yaml'];
    const product = find(overlay, 'ConfigMap/tributary-product').data['product.yaml'];
    const parsed = parseConfiguration(config, '/etc/tributary/config.yaml', '/var/lib/tributary');
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.failures));
    expect(parsed.value).toMatchObject({
      listen: '0.0.0.0:8080',
      access: { callers: 'kubernetes' },
      tekton: { image: serviceOf(overlay).containers[0].image },
    });
    expect(parseProduct(product, 'product.yaml')).toMatchObject({ ok: true });
  });

  test('everything but what is of the whole cluster lies in the namespace', () => {
    const outside = [...built[overlay].values()].filter(
      ({ metadata }) => metadata.namespace === undefined,
    );
    const clusterWide = ['Namespace', 'ClusterRoleBinding', 'SecurityContextConstraints'];
    expect(outside.filter(({ kind }) => !clusterWide.includes(kind))).toEqual([]);
    const wrong = [...built[overlay].values()].filter(
      ({ kind, metadata }) => clusterWide.includes(kind) && metadata.namespace !== undefined,
    );
    expect(wrong).toEqual([]);
  });

  test('pods of builds have no rule, no token, and nobody who reaches them', () => {
    expect(find(overlay, 'ServiceAccount/tributary-build').automountServiceAccountToken).toBe(
      false,
    );
    const bound = [...built[overlay].values()]
      .filter(
        ({ kind, roleRef }) =>
          kind.endsWith('RoleBinding') && roleRef.name !== 'tributary-build-scc',
      )
      .flatMap(({ subjects }) => subjects.map(({ name }: Json) => name));
    expect(bound).not.toContain('tributary-build');
    const policy = find(overlay, 'NetworkPolicy/tributary-build').spec;
    expect(policy.ingress).toEqual([]);
    expect(policy.podSelector.matchExpressions).toEqual([{ key: tagLabel, operator: 'Exists' }]);
  });
});

test.for(overlays)(
  '%s takes the image from the files that the guide says are edited',
  (overlay) => {
    const edited = renderOverlay(overlay, 'tributary', (text) =>
      text
        .replaceAll('registry.example.com/tributary', 'quay.io/ada/tributary')
        .replace('newTag: latest', 'newTag: "7"')
        .replace('tributary:latest', 'tributary:7'),
    );
    expect(JSON.stringify(edited)).not.toContain('registry.example.com/tributary');
    const images = edited
      .flatMap(({ spec }) => [spec?.template, spec?.jobTemplate?.spec.template])
      .flatMap((template) => template?.spec.containers.map(({ image }: Json) => image) ?? []);
    expect(images).toEqual(['quay.io/ada/tributary:7', 'quay.io/ada/tributary:7']);
  },
);

describe('rights', () => {
  const rules = (role: string): Json[] => find('kubernetes', `Role/${role}`).rules;

  test('no rule names everything, and nobody may read a Secret', () => {
    for (const object of built.kubernetes.values()) {
      expect(JSON.stringify(object.rules ?? [])).not.toMatch(/"\*"|"secrets"/);
    }
  });

  test.for(Object.keys(attributes) as Permission[])('the role for %s gives it', (permission) => {
    const right = attributes[permission].at(-1);
    const resource = [right?.resource, right?.subresource].filter(Boolean).join('/');
    expect(rules(roles[permission])).toContainEqual(
      expect.objectContaining({
        apiGroups: ['tekton.dev'],
        resources: expect.arrayContaining([resource]),
        verbs: expect.arrayContaining([right?.verb]),
      }),
    );
  });

  test.for(['tributary-viewer', 'tributary-builder', 'tributary-approver'])(
    '%s lets nobody past the service',
    (role) => {
      const changing = rules(role).filter(({ verbs }) =>
        verbs.some((verb: string) => !['get', 'list', 'watch'].includes(verb)),
      );
      const resources = changing.flatMap(({ resources: names }) => names);
      expect(resources.filter((name) => !/^pipelineruns\/(build|approval)$/.test(name))).toEqual(
        [],
      );
    },
  );
});

test('two replicas, of which one stays, and none goes while it is still asked', () => {
  const [container] = serviceOf('kubernetes').containers;
  expect(container.lifecycle.preStop.exec.command).toEqual(['sleep', '5']);
  expect(find('kubernetes', 'Deployment/tributary').spec.replicas).toBe(2);
  expect(find('kubernetes', 'PodDisruptionBudget/tributary').spec.minAvailable).toBe(1);
});

test('what runs by Knative is what runs without', () => {
  const { containers, volumes } = serviceOf('knative');
  const plain = serviceOf('kubernetes');
  for (const field of ['args', 'env', 'volumeMounts', 'resources', 'image'] as const)
    expect(containers[0][field]).toEqual(plain.containers[0][field]);
  expect(volumes).toEqual(plain.volumes);
});

test('by Knative nothing runs while nobody asks', () => {
  expect(built.knative.has('Deployment/tributary')).toBe(false);
  const { apiVersion, spec } = find('knative', 'Service/tributary');
  expect(apiVersion).toBe('serving.knative.dev/v1');
  expect(spec.template.metadata.annotations['autoscaling.knative.dev/min-scale']).toBe('0');
});

test('the guide makes the push secret of what its login wrote, and of nothing that the user has besides', async () => {
  const page = 'guides/install-on-a-cluster.md';
  const text = readFileSync(join(checkout, 'docs', page), 'utf8');
  const [login = ''] = /buildah login [^`]+/.exec(text) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'tributary-guide-'));
  const registry = createServer((_, answer) => answer.end());
  await new Promise<void>((listening) => registry.listen(0, '127.0.0.1', listening));
  const host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
  try {
    const typed = login
      .replace('login', 'login --tls-verify=false --username ada --password secret')
      .replace('registry.example.com', host);
    await runCommands([typed], folder, { HOME: folder, PATH: process.env['PATH'] ?? '' });
    // Without a name of its own, the key in the Secret is that of the file: `auth.json`, as config.yaml has it.
    for (const heading of ['Kubernetes', 'OpenShift']) {
      const line = commandsOf(page, heading).find((one) => one.includes('tributary-push'));
      expect(line).toMatch(/ --from-file=auth\.json$/);
    }
    expect(JSON.parse(readFileSync(join(folder, 'auth.json'), 'utf8'))).toEqual({
      auths: { [host]: { auth: Buffer.from('ada:secret').toString('base64') } },
    });
  } finally {
    registry.close();
    rmSync(folder, { recursive: true });
  }
});

test('on OpenShift the user of the service is given by the project, and tokens never go in the clear', () => {
  expect(JSON.stringify(serviceOf('openshift'))).not.toContain('runAsUser');
  expect(find('openshift', 'Route/tributary').spec.tls.insecureEdgeTerminationPolicy).toBe('None');
});

test('the component for Prometheus finds the port of the service', () => {
  const monitor = parseAllDocuments(
    readFileSync(join(checkout, 'deploy/components/service-monitor/service-monitor.yaml'), 'utf8'),
  )[0]?.toJS();
  const service = find('kubernetes', 'Service/tributary');
  expect(service.metadata.labels).toMatchObject(monitor.spec.selector.matchLabels);
  expect(service.spec.ports.map(({ name }: Json) => name)).toContain(
    monitor.spec.endpoints[0].port,
  );
});

test('in another namespace, everything lies there, and the service may still ask who calls', () => {
  const moved = renderOverlay('kubernetes', 'elsewhere');
  expect(JSON.stringify(moved)).not.toContain('"namespace":"tributary"');
  const review = moved.find(({ kind }) => kind === 'ClusterRoleBinding');
  expect(review.metadata.name).toBe('tributary:elsewhere');
  expect(review.subjects).toEqual([
    { kind: 'ServiceAccount', name: 'tributary', namespace: 'elsewhere' },
  ]);
});

test('by Knative the namespace, too, is that of the files that the guide says are edited', () => {
  const moved = renderOverlay('knative', 'tributary', (text) =>
    text.replace('namespace: tributary', 'namespace: elsewhere'),
  );
  const service = moved.find(({ apiVersion }) => apiVersion === 'serving.knative.dev/v1');
  expect(service.metadata.namespace).toBe('elsewhere');
});

test('what happens without a request is a job of the same image, which may do nothing else', () => {
  const job = find('kubernetes', 'CronJob/tributary-prune').spec.jobTemplate.spec.template.spec;
  const [service] = serviceOf('kubernetes').containers;
  expect(job.containers[0]).toMatchObject({ image: service.image, args: ['prune'] });
  expect(job.containers[0].securityContext).toEqual(service.securityContext);
  expect(find('kubernetes', 'Role/tributary-prune').rules).toEqual([
    { apiGroups: ['tekton.dev'], resources: ['pipelineruns'], verbs: ['list', 'delete'] },
  ]);
});
