import { createReadStream } from 'node:fs';

import { Temporal } from 'temporal-polyfill';

import type { ReaderZone } from '../domain/zone.ts';
import { CommandError, exitCodes, parseZone, zoneChoice } from '../environment/config.ts';
import { type CommandContext, usageError } from './command.ts';
import { FieldProblem } from './plant-fields.ts';
import { visibleText } from './render.ts';

/** Reads what follows a command's name. A value that cannot be read is a wrong call: CommandError 2. */

const wordsLengthMax = 200;

/** The only positional. @param reason says what is missing: "name one plant by its ID". @throws CommandError 2 */
export function onePositional(context: CommandContext, reason: string): string {
  const [text, ...more] = context.positionals;
  if (text === undefined || more.length > 0) throw usageError(context, reason);
  return text;
}

/** @throws CommandError 2 with the reason, if there is a positional. */
export function noPositionals(context: CommandContext, reason: string): void {
  if (context.positionals.length > 0) throw usageError(context, reason);
}

/** The text, read by a reader. @param name begins the sentence of an error: `--brand`. @throws CommandError 2 */
export function readValue<Value>(
  context: CommandContext,
  name: string,
  text: string,
  read: (text: string) => Value,
): Value {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof FieldProblem) throw usageError(context, `${name} ${error.message}`);
    throw error;
  }
}

/** The value of a flag, read by a reader; undefined if the flag is absent. @throws CommandError 2 with the flag's name. */
export function readFlag<Value>(
  context: CommandContext,
  name: string,
  read: (text: string) => Value,
): Value | undefined {
  const text = context.flags[name];
  return text === undefined ? undefined : readValue(context, `--${name}`, text, read);
}

/** The value of a flag that must be there. @throws CommandError 2 with the flag's name. */
export function requireFlag<Value>(
  context: CommandContext,
  name: string,
  read: (text: string) => Value,
): Value {
  const value = readFlag(context, name, read);
  if (value === undefined) throw usageError(context, `--${name} is missing`);
  return value;
}

/** The zone in which the command prints times, by `--zone`, else by DISPLAY_ZONE. @throws CommandError 2 */
export function readZone(context: CommandContext): ReaderZone {
  const read = (text: string): ReaderZone => {
    const zone = parseZone(text);
    if (zone === undefined)
      throw new FieldProblem(`must be ${zoneChoice}, not ${visibleText(text)}`);
    return zone;
  };
  const given = readFlag(context, 'zone', read);
  return given === undefined ? read(context.config().DISPLAY_ZONE) : given;
}

/** An instant with its zone. @throws FieldProblem */
export function instant(text: string): Date {
  try {
    return new Date(Temporal.Instant.from(text).epochMilliseconds);
  } catch {
    throw new FieldProblem(
      `must be a time with its zone, such as 2026-12-01T06:00:00Z, not ${visibleText(text)}`,
    );
  }
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** 90s, 3m, 2h, 5d as ms; null for other text, and for 0. */
export function durationMs(text: string): number | null {
  const [, value, unit] = /^(\d{1,4})([smhd])$/.exec(text) ?? [];
  return Number(value) * (unitMs[unit as keyof typeof unitMs] ?? NaN) || null;
}

/** `--reason`, `--comment`: one line; null if absent. @throws CommandError 2 */
export function readWords(context: CommandContext, flag: string): string | null {
  const text = context.flags[flag]?.trim() ?? '';
  if (text.length > wordsLengthMax)
    throw usageError(context, `--${flag} must have at most ${wordsLengthMax} characters`);
  return text === '' ? null : text;
}

/** The first `bytesMax` bytes of a file. @throws CommandError 1 if it cannot be read. */
export async function readInputFile(path: string, bytesMax = Infinity): Promise<Buffer> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(path, { end: bytesMax - 1 }))
      chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    throw new CommandError(
      `${visibleText(path)} cannot be read (${typeof code === 'string' ? code : 'unknown error'})`,
      exitCodes.failed,
      { cause },
    );
  }
}
