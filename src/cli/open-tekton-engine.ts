import { createKubernetesApi } from '../adapters/cluster/kubernetes-api.ts';
import { createTektonCluster } from '../adapters/cluster/tekton-cluster.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import { once } from '../builds/once.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { Engine } from '../engine/engine.ts';
import {
  createTektonEngine,
  type TektonEngineOptions,
} from '../engine/tekton/create-tekton-engine.ts';
import { tagLabel } from '../engine/tekton/run-names.ts';
import { findCluster } from './cluster-here.ts';
import { recordedBuilds } from './recorded-builds.ts';

export interface OpenTektonEngineOptions
  extends Pick<TektonEngineOptions, 'url' | 'notify' | 'report'> {
  readonly configuration: LoadedConfiguration;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For small files. */
  readonly scratch: string;
}

/** The engine of the cluster that the configuration names. */
export async function openTektonEngine(
  options: OpenTektonEngineOptions,
): Promise<{ readonly engine: Engine; close(): Promise<void> }> {
  const { configuration, environment, scratch, url, notify, report } = options;
  const settings = configuration.tekton;
  if (settings === undefined) throw new Error('engine: tekton without tekton: parseConfiguration');
  const { connection, namespace } = await findCluster(configuration, environment);
  const api = createKubernetesApi(connection);
  const cluster = createTektonCluster(api, { namespace, selector: tagLabel });
  const ending = new AbortController();
  const place = { folder: scratch, signal: ending.signal };
  const registry = once(() => createRegistry(configuration, place));
  const engine = createTektonEngine({
    ...{ cluster, settings, registry, url, notify, report },
    past: recordedBuilds(configuration, registry, place),
    now: () => new Date(),
  });
  const close = async () => {
    await engine.close();
    ending.abort();
  };
  return { engine, close };
}
