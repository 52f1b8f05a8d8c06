import { type RawBuilder, sql } from 'kysely';

/**
 * The newest row of a plant lies no earlier than the newest slot whose alert step was committed, and the row of that slot may
 * still be on its way: then it is the one before, a day earlier at most. Without this bound a look for the newest row goes
 * into every month of the ledger, for every plant.
 */
export function notLongBefore(lastSlotColumn: string): RawBuilder<boolean> {
  return sql`scheduled_for >= coalesce(${sql.ref(lastSlotColumn)}, '-infinity') - interval '2 days'`;
}
