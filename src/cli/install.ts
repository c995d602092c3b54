import { renderInstallText } from '../api/render-install.ts';
import { demand } from '../builds/failure.ts';
import type { CliContext } from './cli-io.ts';

/** `tributary install TAG`: says how to install and remove a build; it changes no cluster itself. */
export async function install(context: CliContext, tag: string): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const answer = demand(await opened.service.install(tag));
  io.out(globals.json ? `${JSON.stringify(answer)}\n` : renderInstallText(answer));
  return 0;
}
