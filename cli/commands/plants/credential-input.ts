import {
  type CredentialForm,
  describeForm,
  readCredentials,
} from '../../../domain/plants/credential-form.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { visibleText } from '../../render.ts';

/** Reads credentials from standard input. No message contains a value, or text that might be one. */

/** Longer than any token that a vendor gives. */
const inputCharactersMax = 64 * 1024;
const valueLengthMax = 4_096;

/** @throws CommandError 2 at a terminal, which would show what is typed, and for input that is too long. */
export async function readInput(
  stdin: NodeJS.ReadableStream & { isTTY?: boolean },
  fields: string,
): Promise<string> {
  if (stdin.isTTY === true) {
    throw new CommandError(
      `credentials are read from standard input, as lines of field=value or a JSON object (${fields}): redirect a file to it`,
      exitCodes.usage,
    );
  }
  const text = await readToEnd(stdin, inputCharactersMax, 'credentials');
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

/**
 * Reads lines of `field=value` (the value is everything after the first `=`) or a JSON object of texts.
 *
 * @returns What is stored: choices that were not made have their usual value.
 * @throws CommandError 2 naming fields.
 */
export function parseCredentials(text: string, form: CredentialForm): Record<string, string> {
  const given = text.trimStart().startsWith('{') ? fromJson(text) : fromLines(text);
  const read = readCredentials(form, Object.fromEntries(given));
  if (read.ok) return read.credentials;
  const { missing, unknown } = read;
  const problems = [
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
    ...(unknown.length === 0
      ? []
      : [
          `unknown: ${unknown.map((field) => (isFieldName(field) ? field : 'a name that is not valid')).join(', ')}`,
        ]),
    ...read.problems,
  ];
  throw new CommandError(
    `the fields are wrong (${problems.join('; ')}): this account needs ${describeForm(form)}`,
    exitCodes.usage,
  );
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
function isFieldName(text: string): boolean {
  return visibleText(text) === text && /^[A-Za-z][A-Za-z0-9_]{0,23}$/.test(text);
}
