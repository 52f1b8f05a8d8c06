import { type RawBuilder, sql } from 'kysely';

import type { MarkedDay } from '../../domain/plants/closing.ts';
import type { OrdinaryBefore } from '../../domain/plants/poll.ts';
import { activeAlerts, endedAlerts, openIncident } from './alerts.ts';
import type { SealedCredentials } from './credentials.ts';
import { type Db, instant, prepared, timestamp, query } from '../database.ts';
import { plantColumns, type PlantRow, plantFacts } from './plants.ts';
import { askedInVain, daysAround } from './snapshots.ts';
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

interface FetchColumns {
  credentials_version: number | null;
  key_version: string | null;
  iv: Buffer | null;
  sealed: Buffer | null;
  claim: SnapshotClaim | null;
  oldest_vendor_alert: Date | null;
  held_by_incident: number | null;
}

const oldestVendorAlert = sql<Date | null>`(
  select min(a.started_at) from alerts a where a.plant_id = p.id and a.type = 'MOCK_FAULT' and a.state in ('NEW', 'ACKED'))`;

/** What a fetch wants of plant `p` and its credentials `c`. */
const fetchColumns = (slot: RawBuilder<Date>) => sql`
  ${plantColumns}, c.version as credentials_version, c.key_version, c.iv, c.sealed,
  -- a slot writes the day of its measurement, which a dead logger may repeat for weeks
  (select s.claim from metric_snapshots s where s.plant_id = p.id and s.slot = ${slot}
    and s.date between (${slot} at time zone 'UTC')::date - 31 and (${slot} at time zone 'UTC')::date + 1
    order by s.date desc limit 1) as claim,
  ${oldestVendorAlert} as oldest_vendor_alert,
  (select i.id from brand_incidents i
    where i.closed_at is null and i.held_at is not null and (i.brand = p.brand or i.brand is null)
      and exists (select from plants o where o.vendor_account_id = p.vendor_account_id and o.removed_at is null
        and refuses_account(o.last_poll)
        -- of the incident, so that no account is looked through without one
        and i.id is not null
        -- credentials that are newer than the refusal deserve their own try
        and to_timestamp((o.last_poll ->> 'startedAtMs')::float8 / 1000) > c.updated_at)
    limit 1) as held_by_incident`;

function fetchBefore(row: PlantRow & FetchColumns): FetchBefore {
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

/** One round trip; null for an unknown plant. */
export async function readFetchBefore(
  db: Db,
  plantId: string,
  slotMs: number,
): Promise<FetchBefore | null> {
  const [row] = await query(db)<PlantRow & FetchColumns>`
    select ${fetchColumns(timestamp(slotMs))}
    from plants p left join integration_credentials c on c.account_id = p.vendor_account_id
    where p.id = ${plantId}`;
  return row === undefined ? null : fetchBefore(row);
}

/** Which poll of which plant is about to begin, and by which clock. */
export interface ComingPoll {
  plantId: string;
  slotMs: number;
  nowMs: number;
  /** The oldest slot that it will write off; null where none was missed. */
  missedFromMs: number | null;
}

/** What a whole poll must know before the vendor is asked. */
export interface WholePollBefore extends OrdinaryBefore {
  fetch: FetchBefore;
  /**
   * The complete ones of the last 7 days, around the time of day at which a measurement can be judged; too little for a poll
   * that begins later than `markedLateMsMax` after its slot.
   */
  markedDays: MarkedDay[];
  /** Whether a slot from `missedFromMs` on was booked, though it may have no row: then it was not missed. */
  isMissedBooked: boolean;
}

/**
 * Ten-minute marks from 30 min before the slot (older measurements are not judged) to 20 min after it at least: 10 min ahead,
 * as far as a measurement is believed, of a poll that is 10 min late.
 */
const marks = [0, 1, 2, 3, 4, 5, 6];
export const markedLateMsMax = 600_000;

/**
 * What whole polls of different plants must know, in one round trip for all of them.
 *
 * @returns in the order of `polls`; null for an unknown plant.
 */
export async function readWholePolls(
  db: Db,
  polls: readonly ComingPoll[],
): Promise<(WholePollBefore | null)[]> {
  type Row = PlantRow &
    FetchColumns & {
      n: number;
      days: WholePollBefore['rules']['days'];
      asked_in_vain: WholePollBefore['rules']['askedInVain'];
      active: WholePollBefore['rules']['active'];
      ended: WholePollBefore['rules']['ended'];
      incident: WholePollBefore['rules']['incident'];
      marked_days: MarkedDay[];
      ended_since: Date;
      is_missed_booked: boolean;
    };
  const now = sql<Date>`k.now`;
  const since = sql<Date>`w.ended_since`;
  const rows = await query(db)<Row>`${prepared('read-whole-polls')}
    select k.n::int as n, ${fetchColumns(sql<Date>`k.slot`)}, ${daysAround(now)} as days, ${askedInVain} as asked_in_vain,
      ${activeAlerts} as active, ${endedAlerts(now, since)} as ended, ${openIncident} as incident, w.ended_since,
      (k.missed_from is not null and (coalesce(p.last_slot >= k.missed_from, false) or exists (
        select from metric_snapshots s where s.plant_id = p.id and s.slot >= k.missed_from
          and s.date >= (k.missed_from at time zone 'UTC')::date - 31))) as is_missed_booked,
      (select coalesce(json_agg(json_build_object('date', s.date::text, 'firstMark', w.first_mark, 'totalsKwh',
          json_build_array(${sql.join(marks.map((n) => sql`s.totals_by_time -> (w.first_mark + ${sql.lit(n)})`))}))), '[]'::json)
        from metric_snapshots s
        where s.plant_id = p.id and s.complete and s.totals_by_time is not null
          and s.date between w.today - 8 and w.today) as marked_days
    from unnest(${polls.map(({ plantId }) => plantId)}::text[],
      ${polls.map(({ slotMs }) => new Date(slotMs))}::timestamptz[],
      ${polls.map(({ nowMs }) => new Date(nowMs))}::timestamptz[],
      ${polls.map(({ missedFromMs }) => instant(missedFromMs))}::timestamptz[])
      with ordinality as k (plant_id, slot, now, missed_from, n)
    join plants p on p.id = k.plant_id
    left join integration_credentials c on c.account_id = p.vendor_account_id
    cross join lateral (select (k.now at time zone p.timezone)::date as today,
      -- the rules of domain/plants/vendor-alarms.ts, with an hour to spare
      least(coalesce(p.alarms_complete_at, p.activated_at - interval '1 day', k.now - interval '1 day'), ${oldestVendorAlert})
        - interval '2 hours' as ended_since,
      floor(extract(epoch from ((k.slot - interval '30 minutes') at time zone p.timezone)::time) / 600)::int as first_mark) w`;
  const found: (WholePollBefore | null)[] = polls.map(() => null);
  for (const row of rows) {
    const { days, asked_in_vain, active, ended, incident } = row;
    found[row.n - 1] = {
      fetch: fetchBefore(row),
      rules: {
        plant: plantFacts(row),
        days,
        askedInVain: asked_in_vain,
        active,
        ended,
        incident,
        hasCredentials: row.credentials_version !== null,
      },
      markedDays: row.marked_days,
      isMissedBooked: row.is_missed_booked,
      endedSinceMs: row.ended_since.getTime(),
    };
  }
  return found;
}
