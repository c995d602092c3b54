import type { MakeAlone } from '../step.ts';

/** Pods have nothing in common that one could wait for: the registry decides whose image is used. */
export const makeAlone: MakeAlone = (_reference, _waiting, work) => work();
