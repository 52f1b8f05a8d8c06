import { sql } from 'kysely';

import type { ActiveAlert } from '../../domain/alerts.ts';
import { activeAlertsOf, applyAlertChanges } from '../alerts.ts';
import { type Db, query } from '../database.ts';

/** Alerts of gateways, as db/alerts.ts knows their subjects. */
export const gatewaySubjects = {
  kind: 'GATEWAY',
  table: 'gateways',
  column: 'gateway_id',
} as const;

/** The gateway of an alert; undefined if there is no such alert of a gateway. */
export async function gatewayOfAlert(db: Db, alertId: number): Promise<string | undefined> {
  const [row] = await query(db)<{ gateway_id: string }>`
    select gateway_id from alerts where id = ${alertId} and gateway_id is not null`;
  return row?.gateway_id;
}

/** Ends the active alerts of gateways, without announcing it. The caller holds the locks of the gateways. */
export async function endAlerts(
  trx: Db,
  ids: readonly string[],
  { reason, nowMs }: { reason: string; nowMs: number },
): Promise<void> {
  const rows = await query(trx)<{ id: string; active: ActiveAlert[] }>`
    select g.id, ${activeAlertsOf(sql`a.gateway_id = g.id`)} as active from gateways g where g.id = any(${[...ids]}::text[])`;
  for (const { id, active } of rows) {
    const end = {
      kind: 'RESOLVE',
      atMs: nowMs,
      reason,
      dropPending: true,
      announce: null,
    } as const;
    const changes = active.map((alert) => ({ ...end, id: alert.id }));
    await applyAlertChanges(trx, { ...gatewaySubjects, id }, changes, { active, nowMs });
  }
}
