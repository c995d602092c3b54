import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { env } from 'node:process';
import { describe, type TestOptions } from 'vitest';
import { builderImage } from '../cluster/builder-image.ts';
import { type Kubectl, kubectlFor } from '../cluster/kubectl.ts';
import { runningNode } from '../cluster/node.ts';
import { addresses, placesOf, registries } from '../cluster/places.ts';
import { systemImage } from '../cluster/system-images.ts';

/** The cluster that end-to-end tests run on, with what they need to know of it. */
export interface TestCluster {
  readonly kubeconfig: string;
  /** As its administrator. */
  readonly kubectl: Kubectl;
  /** Address of this machine that pods reach: where servers of tests listen. */
  readonly host: string;
  /** `HOST[:PORT][/PATH]` that tests push to: one name for the host and for pods. */
  readonly registry: string;
  /** The same content under a name with TLS; its authority is `authority`. */
  readonly tlsRegistry: string;
  /** A file of certificates, where the machine's own do not do. */
  readonly authority: string | undefined;
  /** True: `registry` speaks plain HTTP. */
  readonly insecure: boolean;
  /** A folder with `config.json`, the credentials for pushing (DOCKER_CONFIG). */
  readonly pushSecret: string;
  /** The image of deploy/Containerfile with this clone's sources. */
  readonly image: string;
  /** What `operator-sdk run bundle` is told there: images that it takes from elsewhere by default. */
  readonly runBundle: readonly string[];
  /** An image of opm, for catalogs that serve by themselves. */
  readonly opm: string;
}

/**
 * The cluster of E2E_KUBECONFIG, with what {@link demanded} demands, and where it is cut off from quay.io and Docker Hub, E2E_OPM and
 * E2E_BUSYBOX (docs/guides/cluster.md); else the one that `make cluster` started.
 * Throws where there is none: a skipped test proves nothing.
 */
export function testCluster(): TestCluster {
  const given = env['E2E_KUBECONFIG'];
  if (given !== undefined && given !== '') return givenCluster(given);
  const node = runningNode();
  if (node === undefined) throw new Error('No cluster runs: `make cluster` starts one.');
  const { kubeconfig, pushSecret, pki } = placesOf(node.folder);
  return {
    kubeconfig,
    kubectl: kubectlFor(kubeconfig),
    host: addresses.host,
    registry: registries.plain,
    tlsRegistry: registries.tls,
    authority: join(pki, 'ca.crt'),
    insecure: true,
    pushSecret,
    image: builderImage(),
    // The index comes from a name with TLS: it is asked for its labels, whatever flags say of plain HTTP.
    runBundle: [
      ...['--index-image', systemImage('opm', registries.tls)],
      ...['--decompression-image', systemImage('busybox')],
    ],
    opm: systemImage('opm'),
  };
}

/**
 * Tests that attack a cluster or break parts of it: they run only on one that `make cluster` started, which is nobody's. Elsewhere their title says
 * why they do not.
 */
export function describeOnOurs(title: string, options: TestOptions, tests: () => void): void {
  const given = env['E2E_KUBECONFIG'];
  if (given === undefined || given === '') describe(title, options, tests);
  else
    describe.skip(
      `${title} (tried only on a cluster that \`make cluster\` started: it breaks parts of it)`,
      options,
      tests,
    );
}

/** What has to be said of a cluster that is not ours. */
const demanded = {
  E2E_REGISTRY: 'a registry that tests may push to and pods pull from',
  E2E_IMAGE: 'what `make image` built, pushed to where pods pull it from',
  E2E_HOST: 'an address of this machine that pods reach',
  DOCKER_CONFIG: 'a folder whose config.json may push to E2E_REGISTRY',
} as const;

function givenCluster(file: string): TestCluster {
  const missing = Object.entries(demanded).filter(([name]) => !env[name]);
  if (missing.length > 0)
    throw new Error(
      `With E2E_KUBECONFIG, these have to be given (docs/guides/cluster.md):${missing.map(([name, what]) => `\n  ${name}: ${what}`).join('')}`,
    );
  const given = (name: keyof typeof demanded) => env[name] ?? '';
  // kubectl runs elsewhere.
  const kubeconfig = resolve(file);
  if (!existsSync(kubeconfig)) throw new Error(`E2E_KUBECONFIG: there is no file ${kubeconfig}`);
  const registry = given('E2E_REGISTRY');
  return {
    kubeconfig,
    kubectl: kubectlFor(kubeconfig),
    host: given('E2E_HOST'),
    registry,
    tlsRegistry: registry,
    authority: undefined,
    insecure: false,
    pushSecret: resolve(given('DOCKER_CONFIG')),
    image: given('E2E_IMAGE'),
    runBundle: [
      ...(env['E2E_OPM'] ? ['--index-image', env['E2E_OPM']] : []),
      ...(env['E2E_BUSYBOX'] ? ['--decompression-image', env['E2E_BUSYBOX']] : []),
    ],
    opm: env['E2E_OPM'] || 'quay.io/operator-framework/opm:v1.63.0',
  };
}

/** A namespace of a test's own, which goes with it. */
export interface TestNamespace {
  readonly name: string;
  readonly kubectl: Kubectl;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Makes a namespace `PREFIX-RANDOM`; its kubectl speaks of it where nothing else is said. */
export async function createNamespace(
  cluster: TestCluster,
  prefix: string,
): Promise<TestNamespace> {
  const name = `${prefix}-${Math.random().toString(36).slice(2, 8)}`;
  await cluster.kubectl(['create', 'namespace', name]);
  return {
    name,
    kubectl: (args, input) => cluster.kubectl(['--namespace', name, ...args], input),
    async [Symbol.asyncDispose]() {
      await cluster.kubectl(['delete', 'namespace', name, '--wait=false']);
    },
  };
}
