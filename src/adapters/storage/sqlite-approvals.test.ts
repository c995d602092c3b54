import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { approvalsContract } from '../../access/approvals.contract.ts';
import { openSqliteApprovals } from './sqlite-approvals.ts';

let folder: string;
const opened: { close(): void }[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-approvals-'));
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await rm(folder, { recursive: true });
});

approvalsContract('SQLite', () => {
  const approvals = openSqliteApprovals(join(folder, 'tributary.sqlite'));
  opened.push(approvals);
  return approvals;
});
