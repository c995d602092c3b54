import { z } from 'zod';

/** Metadata of a payload artifact, whose files are paths below the operator's kodata folder. */
export const PayloadMetadata = z.object({
  component: z.string(),
  /** Folder of kodata that this payload replaces; null: it lies below all others (the operator's own). */
  replaces: z.string().nullable(),
  /** Name of the version folder in {@link replaces}; null where the rule has none. */
  version: z.string().nullable(),
  /** Globs of kodata files that stay although they lie in {@link replaces}. */
  keep: z.array(z.string()),
});
export type PayloadMetadata = z.infer<typeof PayloadMetadata>;
