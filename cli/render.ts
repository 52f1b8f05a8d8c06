import { styleText } from 'node:util';

import type { Status } from '../domain/plants/plant.ts';
import { clockText, energyText, localTimeText, powerText } from '../domain/wording.ts';
import { localDateAt, offsetText } from '../domain/zone.ts';
import type { CommandContext, CommandIo } from './command.ts';

/** Writes values for the terminal. Times name the zone by whose clock they are. */

/** Text for an unknown value. */
export const nothing = '–';

/** Width if the terminal does not report one, or without a terminal. */
const widthDefault = 100;

export function outputWidth({ stdout }: CommandIo): number {
  return stdout.columns !== undefined && stdout.columns > 0 ? stdout.columns : widthDefault;
}

/** One document for machines. Instants are ISO 8601 in UTC. */
export function writeJson({ stdout }: CommandIo, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
}

/** Prints what a command found: for machines with `--json`, else for people. */
export function print(
  { json, io }: Pick<CommandContext, 'json' | 'io'>,
  value: unknown,
  text: () => string,
): void {
  if (json) writeJson(io, value);
  else io.stdout.write(text());
}

/** A copy of plain data with `todayEnergyKwh` as `today_energy_kwh`, at every depth. */
export function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCased(entry),
    ]),
  );
}

/**
 * The text without characters that control a terminal, because names and vendors' words come from outside. Control
 * characters become spaces; marks that change the writing direction are removed.
 */
export function visibleText(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ').replaceAll(/[\u202a-\u202e\u2066-\u2069]/gu, '');
}

const statusColour = {
  GREEN: 'green',
  YELLOW: 'yellow',
  RED: 'red',
  GREY: 'gray',
} as const satisfies Record<Status, string>;

/** Paints a text in a status' colour if the output is a terminal with colours. The word is always there as well. */
export function statusPaint({ stdout, env }: CommandIo): (status: Status, text: string) => string {
  const isPlain = stdout.isTTY !== true || Boolean(env['NO_COLOR']) || env['TERM'] === 'dumb';
  if (isPlain) return (_, text) => text;
  return (status, text) => styleText(statusColour[status], text, { validateStream: false });
}

export function powerCell(powerW: number | null): string {
  return powerW === null ? nothing : powerText(powerW);
}

export function energyCell(energyKwh: number | null): string {
  return energyKwh === null ? nothing : energyText(energyKwh);
}

/** "2026-06-01 13:40 UTC+2". */
export function timeCell(at: Date | null, timezone: string): string {
  return at === null ? nothing : localTimeText(at.getTime(), timezone);
}

/** "2026-06-01 13:40:07 UTC+2": used when minutes cannot tell two slots apart. */
export function secondsCell(at: Date | null, timezone: string): string {
  if (at === null) return nothing;
  const atMs = at.getTime();
  const clock = `${clockText(atMs, timezone)}:${String(at.getUTCSeconds()).padStart(2, '0')}`;
  return `${localDateAt(atMs, timezone)} ${clock} ${offsetText(atMs, timezone)}`;
}
