import type { CliContext } from './cli-io.ts';

/** `tributary serve`: runs the service until SIGTERM or Ctrl-C; a second one ends it at once. */
export async function serve(
  context: CliContext,
  flags: { readonly listen?: string },
): Promise<number> {
  const { io, globals } = context;
  const { startService } = await import('../main.ts');
  const service = await startService({
    ...(globals.config === undefined ? {} : { config: globals.config }),
    ...(globals.product === undefined ? {} : { product: globals.product }),
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
    environment: io.environment,
  });
  io.out(
    globals.json
      ? `${JSON.stringify({ url: service.url })}\n`
      : `Tributary listens on ${service.url}\n`,
  );
  let interrupts = 0;
  const interrupted = new Promise<void>((resolve) => {
    io.onInterrupt(() => {
      interrupts += 1;
      if (interrupts > 1) io.exit(130);
      resolve();
    });
  });
  await interrupted;
  io.err('Ending; builds go on at the next start.\n');
  await service.close();
  return 0;
}
