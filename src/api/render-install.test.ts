import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Installable, renderInstall, renderInstallText } from './render-install.ts';

const build: Installable = {
  tag: 'test-my-thing-72a32c',
  package: 'openshift-pipelines-operator-rh',
  channel: 'latest',
  bundle: 'quay.io/team/bundle:test-my-thing-72a32c',
  index: 'quay.io/team/index:test-my-thing-72a32c',
  serve: 'opm',
  insecure: false,
  pullSecret: false,
};

test('the Subscription asks the CatalogSource of the build for its package and channel', () => {
  const { catalogSource, subscription, remove } = renderInstall(build);
  const catalog = parse(catalogSource);
  expect(catalog.spec).toMatchObject({ sourceType: 'grpc', image: build.index });
  expect(parse(subscription).spec).toEqual({
    name: build.package,
    channel: 'latest',
    source: catalog.metadata.name,
    sourceNamespace: catalog.metadata.namespace,
  });
  expect(remove).toContain(`delete catalogsource ${catalog.metadata.name}`);
});

test('an index without a server is unpacked by OLM', () => {
  const { catalogSource } = renderInstall({ ...build, serve: 'data' });
  expect(parse(catalogSource).spec.grpcPodConfig.extractContent.catalogDir).toBe('/configs');
});

test('the name of the longest tag is still a name for OLM, and its own', () => {
  const name = (tag: string) => parse(renderInstall({ ...build, tag }).catalogSource).metadata.name;
  const [one, other] = [`${'a'.repeat(50)}-72a32c`, `${'a'.repeat(50)}-72a32d`].map(name);
  for (const each of [one, other, name('x-72a32c'), name(`x-${'0'.repeat(64)}`)]) {
    expect(each).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
  }
  expect(one).not.toBe(other);
});

test('going back to an earlier build is warned of, in text too', () => {
  expect(renderInstallText(renderInstall(build))).toContain('# Note: Going back to a build');
});

test('a registry with a pull secret, or without a known certificate, changes the commands', () => {
  const { run, catalogSource, warnings } = renderInstall({
    ...build,
    insecure: true,
    pullSecret: true,
  });
  expect(run).toContain('--use-http --pull-secret-name PULL-SECRET');
  expect(parse(catalogSource).spec.secrets).toEqual(['PULL-SECRET']);
  expect(warnings).toHaveLength(3);
});
