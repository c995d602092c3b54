import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { anyPorts, startDemoEnvironment } from '../../examples/demo-environment.ts';
import { baseRegistry } from './base-registry.ts';

/** The demo's git server, registry and base images, started once for all integration tests. */
export interface DemoWorld {
  /** `127.0.0.1:PORT`; each test pushes to a remote path of its own. */
  readonly registry: string;
  /** `http://127.0.0.1:PORT/`, which stands for `https://github.com/`. */
  readonly git: string;
  /** The bare repositories that the git server serves. */
  readonly repositories: string;
  readonly product: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly demo: DemoWorld;
  }
}

/** vitest global set-up: starts the world, and gives the function that ends it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-world-'));
  const bases = existsSync(baseRegistry);
  if (bases) cpSync(baseRegistry, join(folder, 'registry'), { recursive: true });
  const world = await startDemoEnvironment(folder, anyPorts, 'small');
  if (!bases) {
    mkdirSync(join(baseRegistry, '..'), { recursive: true });
    cpSync(join(folder, 'registry'), baseRegistry, { recursive: true });
  }
  project.provide('demo', {
    registry: world.registry,
    git: world.git,
    repositories: join(folder, 'repositories'),
    product: world.product,
  });
  return async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  };
}
