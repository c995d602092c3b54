import { splitApprovable } from '../access/approvals.ts';
import { demand } from '../builds/failure.ts';
import type { CliContext } from './cli-io.ts';
import { renderTable } from './render/table.ts';
import { requesterHere } from './requester-here.ts';

/** `tributary approve REF@SHA`. */
export async function approve(context: CliContext, text: string): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const approved = demand(await opened.service.approve(splitApprovable(text), requesterHere(io)));
  const { commit, ref, by, outcome } = approved;
  const known = outcome === 'known' ? ` before, by ${by}` : '';
  io.out(
    globals.json
      ? `${JSON.stringify(approved)}\n`
      : `${commit} of ${ref} is approved${known}. Whoever asks for it now gets it built.\n`,
  );
  return 0;
}

/** `tributary approvals`: newest first. */
export async function approvals(context: CliContext): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const list = demand(await opened.service.approvals());
  if (globals.json) io.out(`${JSON.stringify(list)}\n`);
  else if (list.approvals.length === 0) io.err('Nothing is approved.\n');
  else {
    const rows = list.approvals.map(({ commit, ref, by, at }) => [
      ...[commit, ref, by, at.slice(0, 19).replace('T', ' ')],
    ]);
    io.out(renderTable([['COMMIT', 'SEEN AS', 'BY', 'APPROVED (UTC)'], ...rows]));
  }
  return 0;
}

/** `tributary withdraw SHA` or `REF@SHA`. */
export async function withdraw(context: CliContext, text: string): Promise<number> {
  const { io, globals } = context;
  const { ref, commit } = splitApprovable(text);
  await using opened = await context.openService();
  const withdrawn = demand(await opened.service.withdraw(commit || ref));
  io.out(
    globals.json
      ? `${JSON.stringify(withdrawn)}\n`
      : `${withdrawn.commit} is not approved any more; builds of it that run go on.\n`,
  );
  return 0;
}
