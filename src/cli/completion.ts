import type { Command } from 'commander';
import { FailureError } from '../builds/failure.ts';
import type { CliContext } from './cli-io.ts';

/** `tributary completion bash|zsh|fish`: a script for the shell, made from the commands themselves. */
export async function completion(
  { io }: CliContext,
  program: Command,
  shell: string,
): Promise<number> {
  const render = { bash, zsh, fish }[shell];
  if (render === undefined) {
    throw new FailureError({
      reason: 'bad-request',
      detail: `There is no completion for ${shell}.`,
      hint: 'Choose bash, zsh or fish.',
    });
  }
  io.out(render(verbsOf(program)));
  return 0;
}

interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly string[];
}

function verbsOf(program: Command): Verb[] {
  const long = (command: Command) => command.options.flatMap((option) => option.long ?? []);
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: [...long(command), ...long(program), '--help'],
  }));
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map(({ name, options }) => `    ${name}) words="${options.join(' ')}" ;;`);
  return `_tributary() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words="${verbs.map(({ name }) => name).join(' ')}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${verbs.map(({ name }) => name).join(' ')}"
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _tributary tributary
`;
}

function zsh(verbs: readonly Verb[]): string {
  const described = verbs.map(
    ({ name, summary }) => `    '${name}:${summary.replaceAll("'", '’')}'`,
  );
  const cases = verbs.map(
    ({ name, options }) => `    ${name}) compadd -- ${options.join(' ')}; _files ;;`,
  );
  return `#compdef tributary
_tributary() {
  local -a verbs
  verbs=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe verb verbs; return; fi
  case "$words[2]" in
${cases.join('\n')}
  esac
}
compdef _tributary tributary
`;
}

function fish(verbs: readonly Verb[]): string {
  return verbs
    .flatMap(({ name, summary, options }) => [
      `complete -c tributary -n __fish_use_subcommand -a ${name} -d '${summary.replaceAll("'", '’')}'`,
      ...options.map(
        (option) =>
          `complete -c tributary -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`,
      ),
    ])
    .map((line) => `${line}\n`)
    .join('');
}
