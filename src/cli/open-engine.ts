import type { Engine } from '../engine/engine.ts';
import type { OpenLocalEngineOptions } from './open-local-engine.ts';
import type { OpenTektonEngineOptions } from './open-tekton-engine.ts';

/** The engine that the configuration names, and how to end it; the other one is not even loaded. */
export async function openEngine(
  options: OpenLocalEngineOptions & OpenTektonEngineOptions,
): Promise<{ readonly engine: Engine; close(): Promise<void> }> {
  if (options.configuration.engine === 'tekton') {
    const { openTektonEngine } = await import('./open-tekton-engine.ts');
    return openTektonEngine(options);
  }
  const { openLocalEngine } = await import('./open-local-engine.ts');
  return openLocalEngine(options);
}
