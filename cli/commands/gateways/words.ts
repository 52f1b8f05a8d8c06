import { styleText } from 'node:util';

import { qualityOf, qualityWord } from '../../../domain/gateways/reading.ts';
import type { GatewayStatus } from '../../../domain/gateways/gateway.ts';
import type { CommandIo } from '../../command.ts';
import { nothing } from '../../render.ts';

/** Values of gateways in words and colours for the terminal. */

const colours = {
  ONLINE: 'green',
  DEGRADED: 'yellow',
  WAITING: 'yellow',
  OFFLINE: 'red',
  DISABLED: 'red',
  PAUSED: 'gray',
} as const satisfies Record<GatewayStatus, string>;

/** Paints a text in a status' colour if the output is a terminal with colours. */
export function gatewayStatusPaint({
  stdout,
  env,
}: CommandIo): (status: GatewayStatus, text: string) => string {
  const isPlain = stdout.isTTY !== true || Boolean(env['NO_COLOR']) || env['TERM'] === 'dumb';
  if (isPlain) return (_, text) => text;
  return (status, text) => styleText(colours[status], text, { validateStream: false });
}

/** "12 s ago", "3 min ago", "5 h ago", "2 d ago". */
export function agoText(at: Date | null, nowMs: number): string {
  if (at === null) return nothing;
  const s = Math.max(0, Math.round((nowMs - at.getTime()) / 1_000));
  if (s < 120) return `${s} s ago`;
  if (s < 7_200) return `${Math.round(s / 60)} min ago`;
  return s < 172_800 ? `${Math.round(s / 3_600)} h ago` : `${Math.round(s / 86_400)} d ago`;
}

/** Share of the last polls that brought values: "95 %". */
export function successText(recent: string): string {
  if (recent === '') return nothing;
  const good = recent.replaceAll('F', '').length;
  return `${Math.round((100 * good) / recent.length)} %`;
}

/** The quality of the nth point of a reading. @param codes null: all are GOOD. */
export function qualityAt(codes: readonly number[] | null, n: number): string {
  return qualityWord(qualityOf(codes?.[n] ?? 0));
}

/** A number as people read it, with its unit. */
export function valueText(value: number | null, unit: string | null): string {
  if (value === null) return nothing;
  const text = Number.isInteger(value)
    ? value.toLocaleString('en')
    : value.toLocaleString('en', { maximumFractionDigits: 3 });
  return unit === null ? text : `${text} ${unit}`;
}
