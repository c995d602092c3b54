import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { visible } from '../request/quote.ts';
import type { RequestFlags } from './assemble-body.ts';
import type { CliContext, CliIo, GlobalOptions, OpenedService } from './cli-io.ts';
import { exitCodes } from './exit-codes.ts';
import { printError } from './print-failures.ts';
import type { StatusFlags } from './status.ts';

/** Opens the service that a command talks to: a server's, or one in this process. */
export type OpenService = (
  globals: GlobalOptions,
  io: CliIo,
  options: { readonly work: boolean },
) => Promise<OpenedService>;

/** Runs the CLI with its arguments (those after the program's name) and gives the exit code. */
export async function runCli(
  args: readonly string[],
  io: CliIo,
  open: OpenService,
): Promise<number> {
  let exitCode = 0;
  const program = createProgram(io, open, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return printError({ io, globals: globalsOf(program, io) }, error);
  }
}

/** The commands, without their work: each verb is loaded when it is run. */
export function createProgram(
  io: CliIo,
  open: OpenService,
  done: (exitCode: number) => void,
): Command {
  const program = new Command('tributary');
  program
    .description(
      'From refs of upstream code to an installable operator bundle with that code in it.',
    )
    .version('0.1.0')
    .option(
      '--server <url>',
      'talk to this service; default: TRIBUTARY_SERVER, else the one of the state folder, else work here',
    )
    .option(
      '--token <token>',
      'who asks, for a service on a cluster; default: TRIBUTARY_TOKEN (others of this machine do not see it there), else that of the current kubeconfig',
    )
    .option(
      '--product <file>',
      'product file; default: TRIBUTARY_PRODUCT, else product.yaml beside the configuration',
    )
    .option(
      '--config <file>',
      'configuration; default: TRIBUTARY_CONFIG, else $XDG_CONFIG_HOME/tributary/config.yaml',
    )
    .option('--json', 'print JSON, as in /openapi.json')
    .option('--no-color', 'no colors (also: NO_COLOR=1)')
    .addHelpText('after', `\nExit codes:\n${exitCodeLines()}`)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(shown(text)) })
    .showHelpAfterError('Try: tributary --help');

  const context = (): CliContext => {
    const globals = globalsOf(program, io);
    return { io, globals, openService: (options = { work: false }) => open(globals, io, options) };
  };
  /** A verb's action; commander gives the arguments, then options, then the command. */
  const verb =
    <Arguments extends unknown[]>(
      work: (context: CliContext, ...args: Arguments) => Promise<number>,
    ) =>
    async (...args: Arguments) =>
      done(await work(context(), ...args));

  withRequestOptions(program.command('build'))
    .summary('ask for a build and follow it')
    .option('--no-wait', 'print the answer and end; a service goes on building')
    .action(
      verb(async (cli, refs: string[], flags: RequestFlags & { wait: boolean }) =>
        (await import('./build.ts')).build(cli, refs, flags),
      ),
    );
  withRequestOptions(program.command('plan'))
    .summary('say what a build would do')
    .action(
      verb(async (cli, refs: string[], flags: RequestFlags) =>
        (await import('./plan.ts')).plan(cli, refs, flags),
      ),
    );
  program
    .command('list')
    .summary('list builds, newest first')
    .addOption(
      new Option('--state <state>', 'only builds in this state').choices([
        ...['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired'],
      ]),
    )
    .option('--name <name>', 'only builds asked for under this name')
    .option('--component <component>', 'only builds that name this component')
    .option('--requester <who>', 'only builds that they asked for')
    .addOption(new Option('--mine', 'only builds that you asked for').conflicts('requester'))
    .option('--limit <number>', 'at most so many (1–100)', limit, 20)
    .option('--after <position>', 'the next page')
    .action(
      verb(async (cli, flags: { limit: number }) => (await import('./list.ts')).list(cli, flags)),
    );
  program
    .command('status <tag>')
    .summary('show a build')
    .option('-f, --follow', 'until it ends')
    .option('-v, --verbose', 'with how each place in the bundle was proven, and whole digests')
    .action(
      verb(async (cli, tag: string, flags: StatusFlags) =>
        (await import('./status.ts')).status(cli, tag, flags),
      ),
    );
  program
    .command('logs <tag> [step]')
    .summary('print the log of a step, or of all')
    .option('-f, --follow', 'until it ends')
    .action(
      verb(async (cli, tag: string, step: string | undefined, flags: { follow?: true }) =>
        (await import('./logs.ts')).logs(cli, tag, step, flags.follow === true),
      ),
    );
  program
    .command('cancel <tag>')
    .summary('cancel a build')
    .action(verb(async (cli, tag: string) => (await import('./cancel.ts')).cancel(cli, tag)));
  program
    .command('rerun <tag>')
    .summary('run a finished build again and follow it')
    .option('--rebuild', 'use nothing that was built before, but compare')
    .option('--no-wait', 'print the answer and end; a service goes on building')
    .action(
      verb(async (cli, tag: string, flags: { rebuild?: true; wait: boolean }) =>
        (await import('./rerun.ts')).rerun(cli, tag, {
          rebuild: flags.rebuild === true,
          wait: flags.wait,
        }),
      ),
    );
  program
    .command('install <tag>')
    .summary('say how to install and remove a build')
    .action(verb(async (cli, tag: string) => (await import('./install.ts')).install(cli, tag)));
  program
    .command('components')
    .summary('list what can be asked for')
    .action(verb(async (cli) => (await import('./components.ts')).components(cli)));
  program
    .command('approve <commit>')
    .summary('vouch for a commit, so that it is built')
    .description(
      'Vouches for exactly one commit, REF@SHA with all 40 digits, as the refusal of a build shows it: tektoncd/pipeline#4638@SHA. What is pushed to the ref later is not approved.',
    )
    .action(
      verb(async (cli, commit: string) => (await import('./approve.ts')).approve(cli, commit)),
    );
  program
    .command('approvals')
    .summary('list commits that somebody vouches for')
    .action(verb(async (cli) => (await import('./approve.ts')).approvals(cli)));
  program
    .command('withdraw <commit>')
    .summary('take an approval back: SHA, or REF@SHA')
    .action(
      verb(async (cli, commit: string) => (await import('./approve.ts')).withdraw(cli, commit)),
    );
  program
    .command('serve')
    .summary('run the service')
    .option(
      '--listen <address>',
      'HOST:PORT, loopback only unless callers are identities of a cluster; default: what the configuration says',
    )
    .action(
      verb(async (cli, flags: { listen?: string }) =>
        (await import('./serve.ts')).serve(cli, flags),
      ),
    );
  program
    .command('doctor')
    .summary('check this machine, the configuration and the product file')
    .description(
      'Checks this machine, the configuration and the product file. Where --product (or TRIBUTARY_PRODUCT) names one, also the productization repository and everything that it pins, for every release: what is wrong there is told with file and line.',
    )
    .action(verb(async (cli) => (await import('./doctor.ts')).doctor(cli)));
  program
    .command('recover')
    .summary('make the history anew from the records in the registry')
    .description(
      'Takes the finished builds that the records in the remotes tell of into the history where they are missing. A database that is damaged is kept aside first.',
    )
    .action(verb(async (cli) => (await import('./recover.ts')).recover(cli)));
  program
    .command('prune')
    .summary('remove runs on a cluster that ended long ago')
    .description(
      'Removes the PipelineRuns of builds that ended more than `limits.keep-days` ago; nothing is removed in the registry. On a cluster a CronJob does it.',
    )
    .action(verb(async (cli) => (await import('./prune.ts')).prune(cli)));
  program
    .command('completion <shell>')
    .summary('print a completion script for bash, zsh or fish')
    .action(
      verb(async (cli, shell: string) =>
        (await import('./completion.ts')).completion(cli, program, shell),
      ),
    );
  return program;
}

/** What is told of arguments holds them as they are. */
function shown(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

function withRequestOptions(command: Command): Command {
  return command
    .argument(
      '[refs...]',
      'refs: owner/repo#4638, owner/repo@sha, a URL …; COMPONENT=REF where it is not clear; none: the product as it is',
    )
    .option('-n, --name <name>', 'name of the build (DNS-1123, up to 50 characters)')
    .option('--release <release>', 'release of the product; default: its default release')
    .option('--as <how>', '[COMPONENT=]auto, merge, pick or head', collect)
    .option('--base <branch>', "[COMPONENT=]a pull request's base branch", collect)
    .option('--patches <patches>', 'COMPONENT=none, or COMPONENT=FILE,… to leave out', collect)
    .option('--product-ref <ref>', 'a change of the productization repository')
    .option('--strategy <how>', 'images, or makefile: by the Makefile of the product')
    .option('--remote <remote>', 'name of a configured remote')
    .option('--notify <target>', 'name of a configured notify target', collect)
    .option('--rebuild', 'use nothing that was built before, but compare')
    .option('--request <file>', 'a request as JSON; - reads standard input');
}

function globalsOf(program: Command, io: CliIo): GlobalOptions {
  const { server, token, product, config, json, color } = program.opts();
  const { TRIBUTARY_SERVER, TRIBUTARY_TOKEN, TRIBUTARY_PRODUCT } = io.environment;
  const or = (option: string | undefined, variable: string | undefined) =>
    option ?? (variable || undefined);
  return {
    ...defined('server', or(server, TRIBUTARY_SERVER)),
    ...defined('token', or(token, TRIBUTARY_TOKEN)),
    ...defined('product', or(product, TRIBUTARY_PRODUCT)),
    ...defined('config', config),
    json: json === true,
    color: color !== false,
  };
}

function defined<Key extends string>(key: Key, value: string | undefined) {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, string>);
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function limit(value: string): number {
  const number = Number(value);
  if (Number.isInteger(number) && number >= 1 && number <= 100) return number;
  throw new InvalidArgumentError('It must be a whole number from 1 to 100.');
}

function exitCodeLines(): string {
  return Object.entries(exitCodes)
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}\n`)
    .join('');
}
