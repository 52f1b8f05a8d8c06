import { html } from 'hono/html';

import { clockText } from '../../domain/wording.ts';
import { offsetText } from '../../domain/zone.ts';
import type { Html } from './components.ts';

/** The newest slots of a subject as a strip of ticks. The kinds differ by shape, not by colour. */

const tickWidth = 5;
const height = 16;

/** `due`: no row yet, and not late yet. */
export type TickKind = keyof typeof shapes;

export interface Tick {
  slotMs: number;
  kind: TickKind;
}

/**
 * Draws the last slots as ticks, oldest first: ok is low, late taller, partial low with a gap, failed a cross, skipped a dot,
 * missed a hollow box, due a short dash.
 *
 * @param count how many ticks a full strip has: a shorter one starts further to the right.
 */
export function strip(
  ticks: readonly Tick[],
  { count, timezone, href }: { count: number; timezone: string; href: string },
): Html {
  const text = stripText(ticks, timezone);
  const offset = (count - ticks.length) * tickWidth;
  return html`<a class="strip tip" href="${href}" data-tip="${text}" aria-label="${text}"
    ><svg
      width="${count * tickWidth}"
      viewBox="0 0 ${count * tickWidth} ${height}"
      aria-hidden="true"
    >
      ${paths(ticks, offset)}
    </svg></a
  >`;
}

/** One path for each kind of tick: a row of 24 costs a few hundred bytes. */
function paths(ticks: readonly Tick[], offset: number): Html[] {
  const byKind = new Map<TickKind, string>();
  for (const [index, { kind }] of ticks.entries()) {
    const d = shapes[kind](offset + index * tickWidth);
    byKind.set(kind, (byKind.get(kind) ?? '') + d);
  }
  return [...byKind].map(([kind, d]) => html`<path class="${kind}" d="${d}" />`);
}

const shapes = {
  ok: (x: number) => `M${x} 11h4v5h-4z`,
  late: (x: number) => `M${x} 4h4v12h-4z`,
  partial: (x: number) => `M${x} 11h1.5v5h-1.5zM${x + 2.5} 11h1.5v5h-1.5z`,
  failed: (x: number) => `M${x} 11l4 4M${x + 4} 11l-4 4`,
  skipped: (x: number) => `M${x + 1.5} 14h1`,
  missed: (x: number) => `M${x + 0.5} 2.5h3v13h-3z`,
  due: (x: number) => `M${x} 15.5h4`,
} as const;

/** The kinds whose times are told. */
const newsKinds: ReadonlySet<TickKind> = new Set(['failed', 'missed', 'late', 'partial']);

/** "Last 24 slots: 21 ok, 2 failed (08:10, 08:20), 1 missed (08:30), times UTC+2". */
export function stripText(ticks: readonly Tick[], timezone: string): string {
  if (ticks.length === 0) return 'No slot has been due yet';
  const parts = (Object.keys(shapes) as TickKind[]).flatMap((kind) => {
    const of = ticks.filter((tick) => tick.kind === kind);
    if (of.length === 0) return [];
    const newest = of.slice(-3).map((tick) => clockText(tick.slotMs, timezone));
    const more = of.length > newest.length ? '… ' : '';
    const word = kind === 'due' ? 'due now' : kind;
    return [`${of.length} ${word}${newsKinds.has(kind) ? ` (${more}${newest.join(', ')})` : ''}`];
  });
  const newest = ticks.at(-1)?.slotMs ?? 0;
  const zone = parts.some((part) => part.endsWith(')'))
    ? `, times ${offsetText(newest, timezone)}`
    : '';
  return `Last ${ticks.length} slots: ${parts.join(', ')}${zone}`;
}
