import { canonicalHash } from './canonical-hash.ts';
import type { ComponentName, Digest, Key } from './names.ts';

/** Everything that decides the bytes of an operator image with its payload. */
export interface OperatorPayloadInputs {
  /** The operator image without the payload. */
  readonly image: Digest;
  /** Payload artifact of each component that contributes. */
  readonly payloads: Readonly<Record<ComponentName, Digest>>;
  /** Folder in the image, such as `/kodata`. */
  readonly kodata: string;
}

/** The key of an `operator-payload` step; known only when its image and payloads are. */
export function operatorPayloadKey({ image, payloads, kodata }: OperatorPayloadInputs): Key {
  return canonicalHash({ step: 'operator-payload', version, image, payloads, kodata }) as Key;
}

/** Raised whenever the same inputs would give other bytes than before. */
const version = 1;
