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
import { askEach, askedAtOnce } from '../ask-each.ts';
import type { AuditedLoops, Polling } from './check-loops.ts';

/**
 * Decides which slots without a row are lost. A poll of a plant's newest slots may still run, so the check asks the plant's
 * loop and then reads the ledger once more: a poll that ended in between is no loss.
 */

/** Limit of gaps, two for each plant of a fleet of 10,000: enough for all that may still be pending. */
const gapsMax = 20_000;
/** The local fetch (2 s), the pause before a second attempt (5 s) and the other steps (5 s). Loops tell of longer polls. */
const usualPollMs = 12_000;

/** Due slots without a row, and polls without a row that are booked on a plant or a day. */
export interface Gaps {
  due: SlotGap[];
  booked: SlotGap[];
}

/** A lost gap, with its loop's answer. */
export interface LostGap extends SlotGap {
  polling: Polling | undefined;
}

export interface JudgedGaps {
  slots: LostGap[];
  polls: LostGap[];
  /** There were more gaps than the limit. */
  truncated: boolean;
}

/**
 * All gaps in scope. A booked poll that was due is only in `due`.
 *
 * @param without the number of due slots without a row, if it is known; with 0 it looks for no gap among due slots.
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

/** A slot that is due since then may still wait for its poll or its row. */
function pendingSinceMs(gap: SlotGap, nowMs: number): number {
  return nowMs - gap.intervalMs * catchUpIntervalPart - usualPollMs;
}

/** The lost part of a gap: of a plant's newest slots only those before the poll that its loop is at, or that wait too long. */
function lostPart(gap: SlotGap, polling: Polling | undefined, nowMs: number): SlotGap[] {
  if (!gap.newest) return [gap];
  const fromMs = typeof polling === 'number' ? polling : pendingSinceMs(gap, nowMs);
  if (gap.firstMs >= fromMs) return [];
  if (gap.slots === 1) return [gap];
  const slots = Math.min(gap.slots, Math.ceil((fromMs - gap.firstMs) / gap.intervalMs));
  return [{ ...gap, slots, lastMs: gap.firstMs + (slots - 1) * gap.intervalMs }];
}

/** The poll that each loop is at. If 20 loops in a row do not answer, no worker runs, and it does not ask the others. */
async function askLoops(
  loops: Pick<AuditedLoops, 'findPolling'>,
  plantIds: ReadonlySet<string>,
): Promise<Map<string, Polling>> {
  let silent = 0;
  const answers = await askEach([...plantIds], async (plantId): Promise<[string, Polling]> => {
    const polling = silent >= askedAtOnce ? 'NO_ANSWER' : await loops.findPolling(plantId);
    silent = polling === 'NO_ANSWER' ? silent + 1 : 0;
    return [plantId, polling];
  });
  return new Map(answers);
}
