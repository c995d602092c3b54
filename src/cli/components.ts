import { demand } from '../builds/failure.ts';
import type { CliContext } from './cli-io.ts';
import { renderTable } from './render/table.ts';

/** `tributary components`: what can be asked for. */
export async function components(context: CliContext): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const answer = demand(await opened.service.components());
  if (globals.json) {
    io.out(`${JSON.stringify(answer)}\n`);
    return 0;
  }
  const rows = answer.components.map(({ name, aliases, images, payload }) => [
    name,
    aliases.join(' '),
    images.length === 1 ? '1 image' : `${images.length} images`,
    payload ? 'payload' : '',
  ]);
  const names = (items: readonly { name: string; default: boolean }[]) =>
    items.map((item) => (item.default ? `${item.name} (default)` : item.name)).join(', ');
  io.out(`${answer.product}\n${renderTable([['COMPONENT', 'ALIASES', 'IMAGES', ''], ...rows])}`);
  io.out(`Releases: ${names(answer.releases)}\nRemotes: ${names(answer.remotes)}\n`);
  if (answer.notify.length > 0) io.out(`Notify: ${answer.notify.join(', ')}\n`);
  return 0;
}
