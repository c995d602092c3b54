import type { ListQuery } from '../api/service.ts';
import { demand } from '../builds/failure.ts';
import type { CliContext } from './cli-io.ts';
import { renderTable } from './render/table.ts';
import { requesterHere } from './requester-here.ts';

/** `tributary list`: builds, newest first. */
export async function list(context: CliContext, query: ListQuery): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const page = demand(await opened.service.list(query, requesterHere(io)));
  if (globals.json) {
    io.out(`${JSON.stringify(page)}\n`);
    return 0;
  }
  if (page.incomplete !== undefined)
    io.err(`${page.incomplete.detail}\n  ${page.incomplete.hint}\n`);
  if (page.builds.length === 0) {
    io.err('No builds. Ask for one: tributary build tektoncd/pipeline#4638 --name test-my-thing\n');
    return 0;
  }
  const rows = page.builds.map((build) => [
    build.tag,
    build.state,
    build.release,
    Object.values(build.components)
      .map(({ ref }) => ref)
      .join(' '),
    build.requester,
    build.createdAt.slice(0, 19).replace('T', ' '),
  ]);
  io.out(renderTable([['TAG', 'STATE', 'RELEASE', 'REFS', 'BY', 'ASKED (UTC)'], ...rows]));
  if (page.next !== null) io.err(`There are more: --after ${page.next}\n`);
  return 0;
}
