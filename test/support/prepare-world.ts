import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type GitServer, startGitServer } from '../../examples/git-server.ts';
import { makeRepositories } from '../../examples/make-repositories.ts';
import { openGit } from '../../src/adapters/git/git.ts';
import { demand } from '../../src/builds/failure.ts';
import { ok } from '../../src/builds/result.ts';
import { Configuration } from '../../src/config/config.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { tagFor } from '../../src/plan/tag.ts';
import { parseProduct } from '../../src/product/load-product.ts';
import { locateIn } from '../../src/product/place.ts';
import type { Product } from '../../src/product/product.ts';
import { checkRequest } from '../../src/request/check-request.ts';
import { parseRequest } from '../../src/request/parse-request.ts';
import { ProductVerdicts } from '../../src/resolve/product-verdicts.ts';
import { type LockedRequest, resolveRequest } from '../../src/resolve/resolve-request.ts';
import { prepare } from '../../src/steps/prepare/run-prepare.ts';
import { temporaryFolder } from './git-repository.ts';
import { MemoryRegistry } from './memory-registry.ts';

/** The demo product behind its git server, with a registry in memory: enough to resolve and prepare. */
export interface PrepareWorld extends AsyncDisposable {
  readonly product: Product;
  readonly registry: MemoryRegistry;
  readonly state: string;
  readonly server: GitServer;
  resolve(body: object): Promise<LockedRequest>;
  prepare(body: object, options?: PrepareOptions): Promise<Plan>;
}

/** What a test wants otherwise. */
interface WorldOptions {
  /** Changes the text of product.yaml. */
  readonly productFile?: (text: string) => string;
  /** Changes the repositories before they are served. */
  readonly change?: (repositories: string) => Promise<void>;
}

interface PrepareOptions {
  readonly publish?: boolean;
  readonly rebuild?: boolean;
  /** Another state folder: another machine. */
  readonly state?: string;
  /** State folder of whoever answers the request; default: of the same machine. */
  readonly answeredAt?: string;
  readonly registry?: MemoryRegistry;
  /** Another description of the product. */
  readonly product?: Product;
}

/** Makes the demo's repositories and serves them. */
export async function openPrepareWorld(options: WorldOptions = {}): Promise<PrepareWorld> {
  const folder = await temporaryFolder();
  const repositories = join(folder.path, 'repositories');
  makeRepositories(repositories);
  await options.change?.(repositories);
  const server = await startGitServer(repositories);
  const file = new URL('../../examples/demo/product.yaml', import.meta.url);
  const text = (options.productFile ?? ((same) => same))(await readFile(file, 'utf8'));
  const demo = demand(parseProduct(text, 'product.yaml'));
  const locate = locateIn({ file: 'product.yaml', text });
  const verdicts = new ProductVerdicts();
  const configuration = Configuration.parse({
    urls: { 'https://github.com/': server.url },
    remotes: { demo: { push: 'registry.test/demo', default: true } },
  });
  const registry = demoRegistry();
  const state = join(folder.path, 'state');

  const resolve = async (body: object, at = state, product = demo) => {
    const git = await openGit({ ...configuration, state: at }, {});
    const request = demand(parseRequest({ name: 'x', ...body }));
    const checked = demand(checkRequest(request, product, configuration));
    const outcome = await resolveRequest(checked, product, {
      ...git,
      ...{ configuration, platform: 'linux/amd64', locate, verdicts },
      vouched: async () => ok(undefined),
    });
    return demand(outcome);
  };
  return {
    ...{ product: demo, registry, state, server, resolve },
    async prepare(body, options = {}) {
      const at = options.state ?? state;
      const { product = demo } = options;
      const { lock, lockDigest } = await resolve(body, options.answeredAt ?? at, product);
      const { mirrors } = await openGit({ ...configuration, state: at }, {});
      return prepare(lock, product, {
        tag: tagFor(lock.name, lockDigest),
        mirrors,
        registry: options.registry ?? registry,
        builder: { tools: 'buildah 0', build: () => Promise.reject(new Error('nothing is built')) },
        madeBy: 'this version',
        configuration: { ...configuration, state: at },
        workdir: folder.path,
        publish: options.publish ?? true,
        rebuild: options.rebuild ?? false,
        locate,
        signal: new AbortController().signal,
        log: () => {},
        progress: () => {},
      });
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A registry that has the demo's base images, as far as their digest is all that matters. */
export function demoRegistry(): MemoryRegistry {
  const registry = new MemoryRegistry();
  for (const name of ['go-toolset', 'runtime']) putBase(registry, name, 1);
  return registry;
}

/** Puts a base image under its tag; another `version` has another digest. */
export function putBase(registry: MemoryRegistry, name: string, version: number): void {
  const bytes = Buffer.from(JSON.stringify({ name, version }));
  const type = 'application/vnd.oci.image.manifest.v1+json';
  registry.put(`registry.example.com/base/${name}:1`, bytes, type);
}
