import { sql } from 'kysely';

import type { Db } from './database.ts';
import { instant } from './database.ts';
import type { SealedCredentials } from './credentials.ts';
import type { PlantRow } from './plants.ts';
import type { SnapshotClaim } from './tables.ts';

/** Everything that a fetch needs to know before it asks the vendor. */
export interface FetchBefore {
  plant: PlantRow;
  credentials: SealedCredentials | null;
  /** What this very slot has written already, before a crash; null at the first run. */
  claim: SnapshotClaim | null;
  /** Start of the oldest active vendor alert, ms; null without one. */
  oldestVendorAlertMs: number | null;
  /** The incident that holds back the account's credentials: they were refused, with others'. null: they may be used. */
  heldByIncident: number | null;
}

/** One round trip; null for an unknown plant. */
export async function readFetchBefore(
  db: Db,
  plantId: string,
  slotMs: number,
): Promise<FetchBefore | null> {
  type Row = PlantRow & {
    credentials_version: number | null;
    key_version: string | null;
    iv: Buffer | null;
    sealed: Buffer | null;
    claim: SnapshotClaim | null;
    oldest_vendor_alert: Date | null;
    held_by_incident: number | null;
  };
  const result = await sql<Row>`
    select p.*, c.version as credentials_version, c.key_version, c.iv, c.sealed,
      (select s.claim from metric_snapshots s where s.plant_id = p.id and s.slot = ${instant(slotMs)}
        order by s.date desc limit 1) as claim,
      (select min(a.started_at) from alerts a where a.plant_id = p.id and a.type = 'MOCK_FAULT'
        and a.state in ('NEW', 'ACKED')) as oldest_vendor_alert,
      (select i.id from brand_incidents i
        where i.closed_at is null and i.held_at is not null and (i.brand = p.brand or i.brand is null)
          and exists (select from plants o where o.vendor_account_id = p.vendor_account_id
            and o.last_poll ->> 'outcome' = 'FAILED' and o.last_poll ->> 'errorType' = 'AUTH_FAILED'
            -- credentials that are newer than the refusal deserve their own try
            and to_timestamp((o.last_poll ->> 'startedAtMs')::float8 / 1000) > c.updated_at)
        limit 1) as held_by_incident
    from plants p left join integration_credentials c on c.account_id = p.vendor_account_id
    where p.id = ${plantId}`.execute(db);
  const row = result.rows[0];
  if (row === undefined) return null;
  const { credentials_version: version, key_version: keyVersion, iv, sealed } = row;
  return {
    plant: row,
    credentials:
      version === null || keyVersion === null || iv === null || sealed === null
        ? null
        : { accountId: row.vendor_account_id, version, keyVersion, iv, sealed },
    claim: row.claim,
    oldestVendorAlertMs: row.oldest_vendor_alert?.getTime() ?? null,
    heldByIncident: row.held_by_incident,
  };
}
