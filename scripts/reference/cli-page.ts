import type { Command } from 'commander';

/** The help of every command, as one page. */
export function renderCliPage(program: Command): string {
  const help = (command: Command, name: string) =>
    `## \`${name}\`\n\n\`\`\`text\n${ofWidth80(command).helpInformation().trimEnd()}\n\`\`\``;
  return [
    help(program, 'tributary'),
    ...program.commands
      .filter((command) => command.name() !== 'help')
      .map((command) => help(command, `tributary ${command.name()}`)),
  ].join('\n\n');
}

/** The page must not depend on the terminal that it is generated in. */
function ofWidth80(command: Command): Command {
  return command.configureOutput({ getOutHelpWidth: () => 80, getOutHasColors: () => false });
}
