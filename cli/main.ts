import { type Command, type CommandIo, parseCommand } from './command.ts';
import { commands } from './commands/index.ts';
import { CommandError, exitCodes } from './config.ts';

/**
 * Runs one command line.
 *
 * @returns the exit code: 0 done, 1 failed, 2 usage, 69 a service is away, 78 configuration.
 */
export async function runCommandLine(args: readonly string[], io: CommandIo): Promise<number> {
  const asksHelp = args.length === 0 || args[0] === 'help' || args[0] === '--help';
  if (asksHelp) {
    io.stdout.write(overview());
    return args.length === 0 ? exitCodes.usage : exitCodes.done;
  }
  const command = findCommand(args);
  if (command === undefined) {
    io.stderr.write(`heliograph: there is no command \`${args.slice(0, 2).join(' ')}\`\n\n${overview()}`);
    return exitCodes.usage;
  }
  try {
    const words = command.name.split(' ').length;
    const context = parseCommand(command, args.slice(words), io);
    if (context === 'HELP') {
      io.stdout.write(`${command.summary}\nusage: heliograph ${command.name} ${command.usage}\n`);
      return exitCodes.done;
    }
    return await command.run(context);
  } catch (error) {
    if (error instanceof CommandError) {
      io.stderr.write(`heliograph: ${error.message}\n`);
      return error.exitCode;
    }
    throw error;
  }
}

function findCommand(args: readonly string[]): Command | undefined {
  return commands.find((command) => command.name.split(' ').every((word, index) => args[index] === word));
}

function overview(): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  const lines = commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`);
  return `heliograph: durable monitoring of solar fleets\n\n${lines.join('\n')}\n\n\`heliograph COMMAND --help\` tells its flags; --json prints data for machines; --data DIR names an embedded stack's folder.\n`;
}

/** The process's own command line. */
export async function main(): Promise<void> {
  process.exitCode = await runCommandLine(process.argv.slice(2), {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
  });
}

if (import.meta.main) await main();
