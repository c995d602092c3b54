import type { StepOutput } from '../../src/plan/plan.ts';

/** What a scripted step makes. */
export function outputOf(id: string, reused: boolean): StepOutput | null {
  const kind = id.split('/')[0] ?? '';
  const digest = `sha256:${'d'.repeat(64)}`;
  const made = { key: 'a'.repeat(64), reused, digest, image: `127.0.0.1:5000/demo/x@${digest}` };
  if (kind === 'prepare') return null;
  if (kind === 'report') return { kind, digest } as StepOutput;
  if (kind === 'verify') return { kind, inclusion: [], unpullable: [] };
  return { kind, ...made } as StepOutput;
}
