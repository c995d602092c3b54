import { parseArgs } from 'node:util';

/** How it is used. */
export const usage = `tributary step --plan FILE --outputs FILE --config FILE [--build FILE] [--rebuild] [--at-once N] ID...
tributary step --lock FILE --product FILE --tag TAG --plan FILE --config FILE [--rebuild] prepare
tributary step --lock FILE --product FILE --tag TAG --plan FILE --build FILE --config FILE report
tributary step --wait --config FILE --messages FD
  --workdir FOLDER   where it may write (removed by whoever starts it)
  --logs FOLDER      a log file for each step; default: standard output
  --at-once N        the first N steps run at the same time; default: one after the other
  --messages FD      file descriptor for its messages, one JSON object per line
  --wait             runs one list of steps after the other, until one fails: each line of standard
                     input is a JSON array of further arguments
`;

/** What the arguments say. */
export interface StepOptions {
  readonly steps: readonly [string, ...string[]];
  readonly plan: string;
  readonly outputs: string | undefined;
  readonly lock: string | undefined;
  readonly product: string | undefined;
  readonly tag: string | undefined;
  readonly build: string | undefined;
  readonly config: string | undefined;
  readonly workdir: string;
  readonly logs: string | undefined;
  readonly messages: number | undefined;
  readonly rebuild: boolean;
  readonly atOnce: number;
}

/** The options, or what is wrong with them. */
export function parseOptions(args: readonly string[]): StepOptions | string {
  const text = { type: 'string' } as const;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        ...{
          plan: text,
          outputs: text,
          lock: text,
          product: text,
          tag: text,
          build: text,
          config: text,
        },
        ...{
          workdir: text,
          logs: text,
          messages: text,
          rebuild: { type: 'boolean', default: false },
          'at-once': { type: 'string', default: '0' },
        },
      },
    });
    const { plan, workdir, outputs, lock, product, tag, build, config, logs, rebuild } = values;
    const [first, ...rest] = positionals;
    if (first === undefined) return 'no step is named';
    if (plan === undefined || workdir === undefined) return '--plan and --workdir are needed';
    const messages = values.messages === undefined ? undefined : Number(values.messages);
    const files = { plan, workdir, outputs, lock, product, tag, build, config, logs };
    if (lock !== undefined && product === undefined) return '--lock needs --product';
    const atOnce = Number(values['at-once']);
    return { ...files, steps: [first, ...rest], rebuild, messages, atOnce };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
