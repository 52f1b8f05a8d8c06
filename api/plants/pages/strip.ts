import { html } from 'hono/html';

import type { StripTick, TickKind } from '../../../domain/plants/strip.ts';
import { clockText } from '../../../domain/wording.ts';
import type { Html } from '../../pages/components.ts';

const tickWidth = 5;
const height = 16;

/**
 * The last slots as ticks, oldest first: ok is low, late taller, failed a cross, skipped a dot, missed a hollow box, due a
 * short dash. Shapes differ, colours of status are not used.
 */
export function strip(slots: readonly StripTick[], timezone: string, href: string): Html {
  const text = stripText(slots, timezone);
  // Where there are fewer than a full strip, the newest stands at the right all the same.
  const offset = (24 - slots.length) * tickWidth;
  return html`<a class="strip tip" href="${href}" data-tip="${text}" aria-label="${text}"
    ><svg viewBox="0 0 ${24 * tickWidth} ${height}" aria-hidden="true">
      ${paths(slots, offset)}
    </svg></a
  >`;
}

/** One path for each kind of tick: a row of 24 costs a few hundred bytes. */
function paths(slots: readonly StripTick[], offset: number): Html[] {
  const byKind = new Map<TickKind, string>();
  for (const [index, slot] of slots.entries()) {
    const d = tick(slot.kind, offset + index * tickWidth);
    byKind.set(slot.kind, (byKind.get(slot.kind) ?? '') + d);
  }
  return [...byKind].map(([kind, d]) => html`<path class="${kind}" d="${d}" />`);
}

function tick(kind: TickKind, x: number): string {
  switch (kind) {
    case 'ok':
      return `M${x} 11h4v5h-4z`;
    case 'late':
      return `M${x} 4h4v12h-4z`;
    case 'failed':
      return `M${x} 11l4 4M${x + 4} 11l-4 4`;
    case 'skipped':
      return `M${x + 1.5} 14h1`;
    case 'missed':
      return `M${x + 0.5} 2.5h3v13h-3z`;
    case 'due':
      return `M${x} 15.5h4`;
  }
}

const kindWords: readonly (readonly [TickKind, string])[] = [
  ['ok', 'ok'],
  ['late', 'late'],
  ['failed', 'failed'],
  ['skipped', 'skipped'],
  ['missed', 'missed'],
  ['due', 'due now'],
];

/** "Last 24 slots: 21 ok, 2 failed (08:10, 08:20), 1 missed (08:30)". */
export function stripText(slots: readonly StripTick[], timezone: string): string {
  if (slots.length === 0) return 'No slot has been due yet';
  const parts = kindWords.flatMap(([kind, word]) => {
    const of = slots.filter((slot) => slot.kind === kind);
    if (of.length === 0) return [];
    const isNews = kind === 'failed' || kind === 'missed' || kind === 'late';
    const newest = of.slice(-3).map((slot) => clockText(slot.slotMs, timezone));
    const more = of.length > newest.length ? '… ' : '';
    return [`${of.length} ${word}${isNews ? ` (${more}${newest.join(', ')})` : ''}`];
  });
  return `Last ${slots.length} slots: ${parts.join(', ')}`;
}
