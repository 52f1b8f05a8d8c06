import { type Db, instant, ms, query } from '../database.ts';
import { decidePeriods } from './periods.ts';

/** The emergency stop: while a halt is open, nothing is sent to any plant's cloud or gateway. */

export interface Halt {
  id: number;
  fromMs: number;
  by: string;
  reason: string | null;
}

interface HaltRow {
  id: number;
  from_at: Date;
  by: string;
  reason: string | null;
}

const haltOf = ({ id, from_at, by, reason }: HaltRow): Halt => ({
  id,
  fromMs: ms(from_at),
  by,
  reason,
});

/** The open halt; null: polling goes on. */
export async function findOpenHalt(db: Db): Promise<Halt | null> {
  const [halt] = await query(db)<HaltRow>`
    select id, from_at, by, reason from polling_halts where to_at is null`;
  return halt === undefined ? null : haltOf(halt);
}

/** Opens a halt, unless one is open, and closes the periods of all gateways. The caller owns the transaction. */
export async function beginHalt(
  trx: Db,
  { by, reason, atMs }: { by: string; reason: string | null; atMs: number },
): Promise<{ halt: Halt; isNew: boolean }> {
  const [begun] = await query(trx)<HaltRow>`
    insert into polling_halts (from_at, by, reason) values (${instant(atMs)}, ${by}, ${reason})
    on conflict do nothing returning id, from_at, by, reason`;
  if (begun === undefined) {
    const halt = await findOpenHalt(trx);
    if (halt === null) throw new Error('a halt is open that cannot be read');
    return { halt, isNew: false };
  }
  await decidePeriods(trx, null, atMs);
  return { halt: haltOf(begun), isNew: true };
}

/** Lifts the open halt and opens the periods of all gateways that nobody paused. @returns null: none was open. */
export async function liftHalt(
  trx: Db,
  { by, atMs }: { by: string; atMs: number },
): Promise<Halt | null> {
  const [lifted] = await query(trx)<HaltRow>`
    update polling_halts set to_at = greatest(from_at, ${instant(atMs)}), lifted_by = ${by} where to_at is null
    returning id, from_at, by, reason`;
  if (lifted === undefined) return null;
  await decidePeriods(trx, null, atMs);
  return haltOf(lifted);
}
