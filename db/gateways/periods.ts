import { sql } from 'kysely';

import { phaseMs } from '../../domain/slots.ts';
import { type Db, instant, query } from '../database.ts';
import { replacePeriods } from '../ledger/periods.ts';
import { gatewayLedger } from './ledger.ts';

/** When gateways are due: whoever changes one of the reasons calls `decidePeriods` in the same transaction. */

export type PeriodReason = 'ACTIVE' | 'PAUSED' | 'DISABLED' | 'HALTED' | 'REMOVED';

/** From so many changes on walkers hear that all gateways changed, instead of one notice for each. */
const noticesMax = 100;

/**
 * Opens for each gateway the period that its row, its state and the emergency stop ask for: REMOVED goes before PAUSED, HALTED,
 * DISABLED, ACTIVE. Where the open period says the same already, nothing changes. Tells the walkers on `gateways_changed`:
 * the gateway's id, or nothing where all are to be looked at.
 *
 * @param gatewayIds null: all.
 * @param atMs where the old period ends and the new one begins.
 * @returns the gateways whose period changed, with the reason of the new one.
 */
export async function decidePeriods(
  trx: Db,
  gatewayIds: readonly string[] | null,
  atMs: number,
): Promise<{ gatewayId: string; reason: PeriodReason }[]> {
  const isNamed = gatewayIds === null ? sql`true` : sql`g.id = any(${[...gatewayIds]}::text[])`;
  // The lock is taken before the halt and the state are read, and waits for others who decide about the same gateways.
  await query(trx)`select from gateways g where ${isNamed} order by g.id for no key update`;
  const wanted = await query(trx)<{
    id: string;
    intervalS: number;
    reason: PeriodReason;
    open: { intervalS: number; phaseMs: number; reason: string } | null;
  }>`
    select g.id, g.poll_interval_s as "intervalS", case
        when g.removed_at is not null then 'REMOVED'
        when not g.is_active then 'PAUSED'
        when halted.open then 'HALTED'
        when s.disabled_at is not null then 'DISABLED'
        else 'ACTIVE' end as reason,
      case when p.gateway_id is not null then
        json_build_object('intervalS', p.interval_s, 'phaseMs', p.phase_ms, 'reason', p.reason) end as open
    from gateways g
    join gateway_state s on s.gateway_id = g.id
    cross join (select exists (select from polling_halts where to_at is null) as open) halted
    left join gateway_periods p on p.gateway_id = g.id and p.to_at is null
    where ${isNamed} order by g.id`;
  const changes = wanted.flatMap(({ id, intervalS, reason, open }) => {
    const intervalMs = intervalS * 1_000;
    const phase = phaseMs(id, intervalMs);
    const isSame =
      open?.reason === reason && open.intervalS === intervalS && open.phaseMs === phase;
    return isSame
      ? []
      : [{ subjectId: id, closeAtMs: atMs, fromMs: atMs, intervalMs, phaseMs: phase, reason }];
  });
  if (changes.length === 0) return [];
  await replacePeriods(trx, gatewayLedger, changes);
  const told = changes.length > noticesMax ? [''] : changes.map(({ subjectId }) => subjectId);
  await query(trx)`select pg_notify('gateways_changed', id) from unnest(${told}::text[]) as id`;
  return changes.map(({ subjectId, reason }) => ({ gatewayId: subjectId, reason }));
}

/**
 * Disables gateways by their failures, or brings disabled ones back (`disabledAtMs` null: their old failures and the count of
 * probes are forgotten), with their periods. The walker's batches leave `disabled_at` alone, so that a batch under way does not
 * undo it.
 *
 * @returns the gateways that were not in that state yet.
 */
export async function setDisabled(
  trx: Db,
  gatewayIds: readonly string[],
  { disabledAtMs, nowMs }: { disabledAtMs: number | null; nowMs: number },
): Promise<string[]> {
  // The order of locks is the gateway's row, then its state: as everywhere.
  await query(trx)`
    select from gateways where id = any(${[...gatewayIds]}::text[]) order by id for no key update`;
  const changed = await query(trx)<{ id: string }>`
    update gateway_state set disabled_at = ${instant(disabledAtMs)}, probes = 0, good_probes = 0,
      next_probe_at = case when ${disabledAtMs === null} then null else next_probe_at end,
      consecutive_failures = case when ${disabledAtMs === null} then 0 else consecutive_failures end,
      failing_since = case when ${disabledAtMs === null} then null else failing_since end,
      recent = case when ${disabledAtMs === null} then '' else recent end
    where gateway_id = any(${[...gatewayIds]}::text[]) and (disabled_at is null) = ${disabledAtMs !== null}
    returning gateway_id as id`;
  const ids = changed.map(({ id }) => id).sort();
  await decidePeriods(trx, ids, nowMs);
  return ids;
}
