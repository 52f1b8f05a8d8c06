import type { Decider } from './audit-log.ts';
import { recordDecisions } from './audit-log.ts';
import { type Db, instant, query } from './database.ts';

/**
 * The emergency stop of all polling: a row of `polling_halts` that is open. Whoever polls anything reads it before it sends.
 * It changes no plant and no gateway, so that lifting it forgets nobody's own pause.
 */

export interface Halt {
  id: number;
  fromAt: Date;
  /** Who stopped polling, as in the audit log. */
  by: string;
  reason: string | null;
}

/** The open halt; null: polling goes on. */
export async function findOpenHalt(db: Db): Promise<Halt | null> {
  const [halt] = await query(db)<Halt>`
    select id, from_at as "fromAt", by, reason from polling_halts where to_at is null`;
  return halt ?? null;
}

/**
 * Stops all polling, if it is not stopped. The caller owns the transaction.
 *
 * @returns the open halt, and whether this call began it.
 */
export async function beginHalt(
  trx: Db,
  { by, reason, at }: { by: Decider; reason: string | null; at: Date },
): Promise<Halt & { isNew: boolean }> {
  const [begun] = await query(trx)<Halt>`
    insert into polling_halts (from_at, by, reason) values (${at}, ${by.actor}, ${reason})
    on conflict do nothing returning id, from_at as "fromAt", by, reason`;
  if (begun === undefined) {
    const halt = await findOpenHalt(trx);
    if (halt === null) throw new Error('a halt was lifted while another was begun: try again');
    return { ...halt, isNew: false };
  }
  await recordDecisions(trx, [decision('polling.halt', begun, { reason })], by, at);
  return { ...begun, isNew: true };
}

/** Lifts the halt. The caller owns the transaction. @returns the lifted one; null: there was none. */
export async function liftHalt(
  trx: Db,
  { by, at }: { by: Decider; at: Date },
): Promise<Halt | null> {
  const [lifted] = await query(trx)<Halt>`
    update polling_halts set to_at = greatest(from_at, ${instant(at.getTime())}::timestamptz), lifted_by = ${by.actor}
    where to_at is null returning id, from_at as "fromAt", by, reason`;
  if (lifted === undefined) return null;
  await recordDecisions(trx, [decision('polling.lift_halt', lifted, null)], by, at);
  return lifted;
}

function decision(action: string, { id }: Halt, after: unknown) {
  return {
    action,
    subjectType: 'SYSTEM' as const,
    subjectId: `halt ${id}`,
    before: null,
    after,
  };
}
