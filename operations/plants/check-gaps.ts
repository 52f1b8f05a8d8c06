import type { Kysely } from 'kysely';

import {
  findSlotGaps,
  type LedgerScope,
  onOneSnapshot,
  type SlotGap,
} from '../../db/ledger/check.ts';
import { findBookedWithoutRow } from '../../db/plants/check-ledger.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import type { Db } from '../../db/database.ts';
import type { Database } from '../../db/tables.ts';
import { catchUpIntervalPart } from '../../domain/slots.ts';
import { type AuditedLoops, inBatches, type Polling } from './check-loops.ts';

/**
 * Which slots without a row are lost. A plant's newest ones may be at work, so its loop is asked, and then the ledger once
 * more: a poll that ended between the two is no loss.
 */

/** Two gaps for each plant of a fleet of 10,000: all that may still be pending are looked at. */
const gapsMax = 20_000;
/** The local fetch (2 s), the pause before a second attempt (5 s) and the other steps (5 s): of longer polls their loop tells. */
const usualPollMs = 12_000;

/** Slots that are due, and polls that left their mark elsewhere in the record, without a row. */
export interface Gaps {
  due: SlotGap[];
  booked: SlotGap[];
}

/** A gap that is a loss, with what its loop said. */
export interface LostGap extends SlotGap {
  polling: Polling | undefined;
}

export interface JudgedGaps {
  slots: LostGap[];
  polls: LostGap[];
  /** There were more gaps than are looked at. */
  truncated: boolean;
}

/**
 * All gaps in scope; a booked poll that was due as well is among the due ones alone.
 *
 * @param without how many due slots have no row, where that is known: without any there is no gap to look for.
 */
export async function findGaps(db: Db, scope: LedgerScope, without = Infinity): Promise<Gaps> {
  const due = without === 0 ? [] : await findSlotGaps(db, plantLedger, scope, gapsMax);
  const booked = await findBookedWithoutRow(db, scope, gapsMax);
  return {
    due,
    booked: booked.filter((poll) => !due.some((gap) => holds(gap, poll))),
  };
}

export async function judgeGaps(
  context: {
    db: Kysely<Database>;
    loops: Pick<AuditedLoops, 'findPolling'>;
    scope: LedgerScope;
    nowMs: number;
  },
  found: Gaps,
): Promise<JudgedGaps> {
  const { db, loops, scope, nowMs } = context;
  const isSuspect = (gap: SlotGap) => gap.newest && gap.firstMs < pendingSinceMs(gap, nowMs);
  const asked = new Set(
    [...found.due, ...found.booked].filter(isSuspect).map((gap) => gap.subjectId),
  );
  const polling = await askLoops(loops, asked);
  const now =
    asked.size === 0
      ? { due: [], booked: [] }
      : await onOneSnapshot(db, (trx) => findGaps(trx, { ...scope, subjectIds: [...asked] }));
  const lost = (before: readonly SlotGap[], after: readonly SlotGap[]): LostGap[] =>
    [
      ...before.filter((gap) => !gap.newest),
      ...before
        .filter(isSuspect)
        .flatMap((gap) => after.filter((left) => touches(gap, left)))
        .flatMap((gap) => lostPart(gap, polling.get(gap.subjectId), nowMs)),
    ].map((gap) => ({ ...gap, polling: polling.get(gap.subjectId) }));
  return {
    slots: lost(found.due, now.due),
    polls: lost(found.booked, now.booked),
    truncated: found.due.length === gapsMax || found.booked.length === gapsMax,
  };
}

/** Whether a poll, as a gap of one slot, is one of the gap's slots. */
function holds(gap: SlotGap, poll: SlotGap): boolean {
  return touches(gap, poll) && (poll.firstMs - gap.firstMs) % gap.intervalMs === 0;
}

function touches(a: SlotGap, b: SlotGap): boolean {
  return a.subjectId === b.subjectId && a.firstMs <= b.lastMs && b.firstMs <= a.lastMs;
}

/** What is due since then may still wait for its poll, or the poll for its row. */
function pendingSinceMs(gap: SlotGap, nowMs: number): number {
  return nowMs - gap.intervalMs * catchUpIntervalPart - usualPollMs;
}

/** Of a plant's newest slots those that lie before what its loop is at, or that have waited too long for it; of others all. */
function lostPart(gap: SlotGap, polling: Polling | undefined, nowMs: number): SlotGap[] {
  if (!gap.newest) return [gap];
  const fromMs = typeof polling === 'number' ? polling : pendingSinceMs(gap, nowMs);
  if (gap.firstMs >= fromMs) return [];
  if (gap.slots === 1) return [gap];
  const slots = Math.min(gap.slots, Math.ceil((fromMs - gap.firstMs) / gap.intervalMs));
  return [{ ...gap, slots, lastMs: gap.firstMs + (slots - 1) * gap.intervalMs }];
}

/** What each loop is at. When none of a whole batch answers, no worker runs, and the others are not asked. */
async function askLoops(
  loops: Pick<AuditedLoops, 'findPolling'>,
  plantIds: ReadonlySet<string>,
): Promise<Map<string, Polling>> {
  let isAnybodyThere = true;
  const answers = await inBatches([...plantIds], async (batch) => {
    const answered = isAnybodyThere
      ? await Promise.all(batch.map((plantId) => loops.findPolling(plantId)))
      : batch.map(() => 'NO_ANSWER' as const);
    isAnybodyThere = answered.some((answer) => answer !== 'NO_ANSWER');
    return batch.map((plantId, index): [string, Polling] => [plantId, answered[index] ?? null]);
  });
  return new Map(answers);
}
