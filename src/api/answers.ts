import type { z } from 'zod';
import type * as schema from './schema.ts';

/** What the service answers besides builds and events, whose types are in src/builds/. */
export type Problem = z.infer<typeof schema.Problem>;
export type Links = z.infer<typeof schema.Links>;
export type Submitted = z.infer<typeof schema.Submitted>;
export type PlanAnswer = z.infer<typeof schema.PlanAnswer>;
export type Components = z.infer<typeof schema.Components>;
export type Install = z.infer<typeof schema.Install>;
export type Readiness = z.infer<typeof schema.Readiness>;
export type Approved = z.infer<typeof schema.Approved>;
export type ApprovalList = z.infer<typeof schema.ApprovalList>;
export type Diagnosis = z.infer<typeof schema.Diagnosis>;
