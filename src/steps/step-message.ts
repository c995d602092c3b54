import { z } from 'zod';
import type { Retry } from '../builds/event.ts';
import { type Failure, type Reason, reasons } from '../builds/failure.ts';
import type { StepOutput } from '../plan/plan.ts';

/** What a step program tells while it runs: one JSON object per line on file descriptor 3. */
export type StepMessage =
  | { readonly kind: 'step-started'; readonly step: string }
  | { readonly kind: 'step-progress'; readonly step: string; readonly text: string }
  | ({ readonly kind: 'step-retrying'; readonly step: string } & Retry)
  /** Of `prepare`: the file of the plan that it wrote, the steps whose result the registry holds, and groups whose images may be built at once. */
  | {
      readonly kind: 'step-finished';
      readonly step: string;
      readonly output: StepOutput | null;
      readonly plan?: string | undefined;
      readonly held?: readonly string[] | undefined;
      readonly seeded?: readonly string[] | undefined;
    }
  | { readonly kind: 'step-failed'; readonly step: string; readonly failures: readonly Failure[] };

/** What a step program that waits for units tells after each that succeeded; after one that failed it ends. */
export const unitOver = { kind: 'unit-over' } as const;

/** A line as a message, or undefined where it is none. */
export function parseStepMessage(line: string): StepMessage | typeof unitOver | undefined {
  try {
    const parsed = message.safeParse(JSON.parse(line));
    // The schema says what the types say, but for the brands of strings that it checked.
    return parsed.success ? (parsed.data as unknown as StepMessage) : undefined;
  } catch {
    return undefined;
  }
}

const step = z.string().min(1).max(300);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const made = { key: z.string().regex(/^[0-9a-f]{64}$/), reused: z.boolean(), digest };

const output = z.discriminatedUnion('kind', [
  z.object({ kind: z.enum(['payload', 'manifests']), ...made }),
  z.object({
    kind: z.enum(['image', 'operator-payload', 'bundle', 'index']),
    ...made,
    image: z.string(),
  }),
  z.object({
    kind: z.literal('makefile'),
    digest,
    image: z.string(),
    images: z.record(z.string(), digest),
  }),
  z.object({
    kind: z.literal('verify'),
    inclusion: z.array(
      z.object({
        component: z.string(),
        place: z.string(),
        commit: z.string(),
        tree: z.string(),
        requested: z.boolean(),
        outcome: z.enum(['included', 'not-from-your-ref', 'source-not-provable']),
        proof: z.string(),
      }),
    ),
    unpullable: z.array(
      z.object({
        image: z.string(),
        how: z.enum(['anonymously', 'with the pull secret', 'at all']),
        remedy: z.string(),
      }),
    ),
  }),
  z.object({ kind: z.literal('report'), digest }),
]);

/** Failures as JSON, or undefined where a text is none. */
export function parseFailures(text: string): readonly Failure[] | undefined {
  try {
    const parsed = failures.safeParse(JSON.parse(text));
    return parsed.success ? (parsed.data as readonly Failure[]) : undefined;
  } catch {
    return undefined;
  }
}

const failure = z.object({
  reason: z.enum(Object.keys(reasons) as [Reason, ...Reason[]]),
  detail: z.string(),
  hint: z.string(),
  pointer: z.string().optional(),
  about: z.record(z.string(), z.union([z.string(), z.number(), z.array(z.string())])).optional(),
});

const failures = z.array(failure).min(1);

const message = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('unit-over') }),
  z.object({ kind: z.literal('step-started'), step }),
  z.object({ kind: z.literal('step-progress'), step, text: z.string() }),
  z.object({
    kind: z.literal('step-retrying'),
    step,
    what: z.string(),
    why: z.string(),
    retry: z.number(),
    seconds: z.number(),
  }),
  z.object({
    kind: z.literal('step-finished'),
    step,
    output: output.nullable(),
    plan: z.string().optional(),
    held: z.array(step).optional(),
    seeded: z.array(step).optional(),
  }),
  z.object({ kind: z.literal('step-failed'), step, failures }),
]);
