import { stringify } from 'yaml';
import type { Install } from './answers.ts';

/** What decides how a build is installed. */
export interface Installable {
  readonly tag: string;
  /** OLM package. */
  readonly package: string;
  /** Default channel of the bundle. */
  readonly channel: string;
  /** References as a cluster pulls them. */
  readonly bundle: string;
  readonly index: string;
  /** `opm`: the index serves by itself; `data`: it holds catalog files only. */
  readonly serve: 'opm' | 'data';
  /** The registry speaks plain HTTP, or shows an unknown certificate. */
  readonly insecure: boolean;
  /** A pull secret is configured for the remote. */
  readonly pullSecret: boolean;
}

/** Namespace of the commands: the proposal's. */
const namespace = 'openshift-operators';

/** The commands and manifests that install and remove a build. */
export function renderInstall(build: Installable): Install {
  const flags = [
    build.insecure ? '--use-http' : '',
    build.pullSecret ? '--pull-secret-name PULL-SECRET' : '',
  ].filter((flag) => flag !== '');
  const run = (verb: string) =>
    ['operator-sdk', verb, build.bundle, `--namespace ${namespace}`, ...flags].join(' ');
  const catalog = catalogName(build.tag);
  return {
    tag: build.tag,
    run: run('run bundle'),
    upgrade: run('run bundle-upgrade'),
    cleanup: `operator-sdk cleanup ${build.package} --namespace ${namespace}`,
    catalogSource: stringify(catalogSource(build, catalog)),
    subscription: stringify({
      apiVersion: 'operators.coreos.com/v1alpha1',
      kind: 'Subscription',
      metadata: { name: build.package, namespace },
      spec: {
        name: build.package,
        channel: build.channel,
        source: catalog,
        sourceNamespace: 'openshift-marketplace',
      },
    }),
    remove: [
      `kubectl -n ${namespace} delete csv "$(kubectl -n ${namespace} get subscription ${build.package} -o 'jsonpath={.status.installedCSV}')"`,
      `kubectl -n ${namespace} delete subscription ${build.package}`,
      `kubectl -n openshift-marketplace delete catalogsource ${catalog}`,
    ].join('\n'),
    warnings: warnings(build),
  };
}

/** OLM makes a Service and labels of this name, which have at most 63 characters: the tag's hash stays whole. */
function catalogName(tag: string): string {
  const [, name = '', hash = ''] = /^(.*)-([0-9a-f]+)$/.exec(tag) ?? [];
  const room = 63 - 'tributary--'.length - hash.length;
  return `tributary-${name.slice(0, room).replace(/-+$/, '')}-${hash}`.slice(0, 63);
}

function catalogSource(build: Installable, name: string) {
  return {
    apiVersion: 'operators.coreos.com/v1alpha1',
    kind: 'CatalogSource',
    metadata: { name, namespace: 'openshift-marketplace' },
    spec: {
      sourceType: 'grpc',
      image: build.index,
      displayName: `Tributary ${build.tag}`,
      ...(build.pullSecret ? { secrets: ['PULL-SECRET'] } : {}),
      // Catalog files without a server: OLM brings its own opm.
      ...(build.serve === 'data'
        ? { grpcPodConfig: { extractContent: { catalogDir: '/configs', cacheDir: '/tmp/cache' } } }
        : {}),
    },
  };
}

function warnings(build: Installable): string[] {
  return [
    'Going back to a build that was installed before (A, then B, then A again) never ends: each CSV replaces the other. Ask for the same code under a new name (seconds of work), or remove the operator first.',
    ...(build.pullSecret
      ? [
          'PULL-SECRET is the name of a kubernetes.io/dockerconfigjson secret, made from the pull secret of the remote, in the namespaces named.',
        ]
      : []),
    ...(build.insecure
      ? [
          'The registry is not secured by a known certificate: the nodes of the cluster must be told to trust it.',
        ]
      : []),
  ];
}

/** {@link Install} as text for people: comments, and lines to copy. */
export function renderInstallText(install: Install): string {
  return [
    '# Install the bundle:',
    install.run,
    '',
    '# Upgrade to it what was installed that way:',
    install.upgrade,
    '',
    '# Remove it:',
    install.cleanup,
    '',
    '# Or by OLM, from the index (kubectl apply -f -):',
    `${install.catalogSource}---`,
    install.subscription,
    '# … and remove that:',
    install.remove,
    '',
    ...install.warnings.map((warning) => `# Note: ${warning}`),
    '',
  ].join('\n');
}
