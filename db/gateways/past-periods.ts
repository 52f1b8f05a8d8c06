import { sql } from 'kysely';

import { type Db, msOf, query } from '../database.ts';

/** A time in which a gateway was due and that has ended. */
export interface PastPeriod {
  gatewayId: string;
  fromMs: number;
  toMs: number;
  intervalMs: number;
  phaseMs: number;
}

/** The ended ACTIVE periods of these gateways in which slots may lie that have no row: they end after the newest slot with one. */
export async function listPastPeriods(
  db: Db,
  gatewayIds: readonly string[],
): Promise<PastPeriod[]> {
  return query(db)<PastPeriod>`
    select p.gateway_id as "gatewayId", ${msOf(sql`p.from_at`)} as "fromMs", ${msOf(sql`p.to_at`)} as "toMs",
      p.interval_s * 1000 as "intervalMs", p.phase_ms as "phaseMs"
    from gateway_periods p join gateway_state s on s.gateway_id = p.gateway_id
    where p.gateway_id = any(${[...gatewayIds]}::text[]) and p.reason = 'ACTIVE' and p.to_at > p.from_at
      and p.to_at > coalesce(s.last_slot, '-infinity')
    order by p.gateway_id, p.from_at`;
}
