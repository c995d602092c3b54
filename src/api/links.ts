import type { Links } from './answers.ts';

/** References that a build will have, known as soon as it has a tag. */
export interface BuildReferences {
  readonly images: Readonly<Record<string, string>>;
  readonly bundle: string;
  readonly index: string;
}

/** Where everything about a build is; `base` is the service's URL without a slash at its end. */
export function renderLinks(base: string, tag: string, references: BuildReferences): Links {
  const self = `${base}/api/builds/${tag}`;
  return {
    self,
    events: `${self}/events`,
    log: `${self}/steps/{step}/log`,
    install: `${self}/install`,
    cancel: `${self}/cancel`,
    rerun: `${self}/rerun`,
    bundle: references.bundle,
    index: references.index,
    images: { ...references.images },
  };
}
