import { PassThrough, Readable, Writable } from 'node:stream';

import type { CommandIo } from '../../cli/command.ts';
import { runCommandLine } from '../../cli/main.ts';

/** The terminal, or the pipes, at which a command of a test runs. */
export interface TestTerminal {
  env?: NodeJS.ProcessEnv;
  /** What is piped in; nothing unless said. */
  input?: string;
  /** What a person types, at a terminal. */
  typed?: string;
  /** The output is a terminal of so many columns. */
  columns?: number;
}

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

class TextSink extends Writable {
  text = '';

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString('utf8');
    done();
  }
}

/** Streams of a command, with what it wrote. */
export function createTestIo(terminal: TestTerminal = {}): {
  io: CommandIo;
  stdout: TextSink;
  stderr: TextSink;
} {
  const { env = {}, input = '', typed, columns } = terminal;
  const stdout = new TextSink();
  const stderr = new TextSink();
  const stdin = typed === undefined ? Readable.from([Buffer.from(input)]) : new PassThrough();
  if (stdin instanceof PassThrough) stdin.end(typed);
  const io: CommandIo = {
    env,
    stdin: Object.assign(stdin, typed === undefined ? {} : { isTTY: true }),
    stdout: Object.assign(stdout, columns === undefined ? {} : { isTTY: true, columns }),
    stderr,
  };
  return { io, stdout, stderr };
}

/** Runs a command line in this process, without its streams and environment. */
export async function runTestCommand(
  args: readonly string[],
  terminal: TestTerminal = {},
): Promise<CommandResult> {
  const { io, stdout, stderr } = createTestIo(terminal);
  const code = await runCommandLine(args, io);
  return { code, stdout: stdout.text, stderr: stderr.text };
}
