import { html } from 'hono/html';

import { type StripTick, stripSlots, type TickKind } from '../../../domain/plants/strip.ts';
import { clockText } from '../../../domain/wording.ts';
import { offsetText } from '../../../domain/zone.ts';
import type { Html } from '../../pages/components.ts';

const tickWidth = 5;
const height = 16;

/**
 * Draws the last slots as ticks, oldest first: ok is low, late taller, failed a cross, skipped a dot, missed a hollow box, due a
 * short dash. The kinds differ by shape, not by colour.
 */
export function strip(slots: readonly StripTick[], timezone: string, href: string): Html {
  const text = stripText(slots, timezone);
  // A short strip starts further to the right, so that the newest slot is at the right edge.
  const offset = (stripSlots - slots.length) * tickWidth;
  return html`<a class="strip tip" href="${href}" data-tip="${text}" aria-label="${text}"
    ><svg viewBox="0 0 ${stripSlots * tickWidth} ${height}" aria-hidden="true">
      ${paths(slots, offset)}
    </svg></a
  >`;
}

/** One path for each kind of tick: a row of 24 costs a few hundred bytes. */
function paths(slots: readonly StripTick[], offset: number): Html[] {
  const byKind = new Map<TickKind, string>();
  for (const [index, slot] of slots.entries()) {
    const d = shapes[slot.kind](offset + index * tickWidth);
    byKind.set(slot.kind, (byKind.get(slot.kind) ?? '') + d);
  }
  return [...byKind].map(([kind, d]) => html`<path class="${kind}" d="${d}" />`);
}

const shapes: Readonly<Record<TickKind, (x: number) => string>> = {
  ok: (x) => `M${x} 11h4v5h-4z`,
  late: (x) => `M${x} 4h4v12h-4z`,
  failed: (x) => `M${x} 11l4 4M${x + 4} 11l-4 4`,
  skipped: (x) => `M${x + 1.5} 14h1`,
  missed: (x) => `M${x + 0.5} 2.5h3v13h-3z`,
  due: (x) => `M${x} 15.5h4`,
};

/** "Last 24 slots: 21 ok, 2 failed (08:10, 08:20), 1 missed (08:30), times UTC+2". */
export function stripText(slots: readonly StripTick[], timezone: string): string {
  if (slots.length === 0) return 'No slot has been due yet';
  const parts = (Object.keys(shapes) as TickKind[]).flatMap((kind) => {
    const of = slots.filter((slot) => slot.kind === kind);
    if (of.length === 0) return [];
    const isNews = kind === 'failed' || kind === 'missed' || kind === 'late';
    const newest = of.slice(-3).map((slot) => clockText(slot.slotMs, timezone));
    const more = of.length > newest.length ? '… ' : '';
    const word = kind === 'due' ? 'due now' : kind;
    return [`${of.length} ${word}${isNews ? ` (${more}${newest.join(', ')})` : ''}`];
  });
  const newest = slots.at(-1)?.slotMs ?? 0;
  const zone = parts.some((part) => part.endsWith(')'))
    ? `, times ${offsetText(newest, timezone)}`
    : '';
  return `Last ${slots.length} slots: ${parts.join(', ')}${zone}`;
}
