import { CommandError, exitCodes } from '../environment/config.ts';
import { visibleText } from './render.ts';

/** Reads secrets from standard input, by their fields. No message contains a value, or text that might be one. */

/** Longer than any token that a vendor gives. */
const inputCharactersMax = 64 * 1024;
const valueLengthMax = 4_096;

/**
 * @param fields their names, for a person.
 * @param what is read.
 * @throws CommandError 2 at a terminal, which would show what is typed, and for input that is too long.
 */
export async function readInput(
  stdin: NodeJS.ReadableStream & { isTTY?: boolean },
  fields: string,
  what = 'credentials',
): Promise<string> {
  if (stdin.isTTY === true) {
    throw new CommandError(
      `${what} are read from standard input, as lines of field=value or a JSON object (${fields}): redirect a file to it`,
      exitCodes.usage,
    );
  }
  const text = await readToEnd(stdin, inputCharactersMax, what);
  return text.replace(/^\ufeff/, '');
}

/** All of standard input. @throws CommandError 2 as soon as it is longer than `charactersMax`. */
export async function readToEnd(
  stdin: NodeJS.ReadableStream,
  charactersMax: number,
  what: string,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stdin) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (text.length > charactersMax)
      throw new CommandError(`the input is too long for ${what}`, exitCodes.usage);
  }
  return text;
}

/** The fields of lines of `field=value` (the value is everything after the first `=`) or of a JSON object of texts. @throws CommandError 2 */
export function readFields(text: string): Map<string, string> {
  return text.trimStart().startsWith('{') ? fromJson(text) : fromLines(text);
}

function fromJson(text: string): Map<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the input.
    throw new CommandError('the input begins like a JSON object but is not one', exitCodes.usage);
  }
  const given = new Map<string, string>();
  for (const [field, entry] of Object.entries(value as object)) add(given, field, entry);
  return given;
}

function fromLines(text: string): Map<string, string> {
  const given = new Map<string, string>();
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (line.trim() === '') continue;
    const equals = line.indexOf('=');
    if (equals < 1)
      throw new CommandError(`line ${index + 1} of the input is not field=value`, exitCodes.usage);
    add(given, line.slice(0, equals).trim(), line.slice(equals + 1));
  }
  return given;
}

function add(given: Map<string, string>, field: string, value: unknown): void {
  const name = isFieldName(field) ? field : 'a field';
  if (given.has(field)) throw new CommandError(`${name} is given twice`, exitCodes.usage);
  if (typeof value !== 'string') throw new CommandError(`${name} must be text`, exitCodes.usage);
  if (value.length > valueLengthMax || /\p{Cc}/u.test(value)) {
    throw new CommandError(
      `${name} must be at most ${valueLengthMax} characters without control characters`,
      exitCodes.usage,
    );
  }
  given.set(field, value);
}

/** True for a short word. Anything else may be a secret without its name, so no message repeats it. */
export function isFieldName(text: string): boolean {
  return visibleText(text) === text && /^[A-Za-z][A-Za-z0-9_]{0,23}$/.test(text);
}
