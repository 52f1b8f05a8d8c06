import { type RawBuilder, type Selectable, sql, type Updateable } from 'kysely';

import { isNight } from '../../domain/daylight.ts';
import type { PlantFacts } from '../../domain/plants/facts.ts';
import { withheldTypes } from '../../domain/plants/incidents.ts';
import type { Brand, Status, StatusReason } from '../../domain/plants/plant.ts';
import { roundedKwh, roundedW } from '../../domain/rounding.ts';
import type { StatusProfile } from '../../domain/daylight.ts';
import { type Db, instant, ms, query } from '../database.ts';
import { pausedBy, silencedBy, silenceReason } from './holds.ts';
import { allPlants, type PlantScope } from '../scope.ts';
import { failsWithBrand, incidentSince } from './incidents.ts';
import type { PlantTables } from './tables.ts';

export type PlantRow = Selectable<PlantTables['plants']>;

/**
 * All columns of plant `p` by their names. PostgreSQL refuses a prepared statement once its `*` means other columns, and
 * workers continue while a migration adds one. A service test compares the list with the table.
 */
export const plantColumns = sql`
  p.id, p.name, p.customer_id, p.brand, p.vendor_account_id, p.vendor_plant_id, p.timezone, p.latitude, p.longitude,
  p.installed_capacity_kw, p.poll_interval_s, p.integration_status, p.paused_until, p.pause_reason, p.alerts_silenced_until,
  p.status_profile, p.activated_at, p.created_at, p.revision, p.seen_revision, p.status, p.status_reason, p.status_since,
  p.last_seen_at, p.last_seen_source, p.consecutive_failures, p.last_polled_at, p.alarms_complete_at,
  p.low_generation_streak, p.last_slot, p.last_poll, p.devices, p.failing_since, p.removed_at`;

/** The row as the rules of a poll want it. */
export function plantFacts(row: PlantRow): PlantFacts {
  return {
    plantId: row.id,
    timezone: row.timezone,
    latitude: row.latitude,
    longitude: row.longitude,
    installedCapacityKw: row.installed_capacity_kw,
    pollIntervalS: row.poll_interval_s,
    integrationStatus: row.integration_status,
    activatedAtMs: ms(row.activated_at),
    status: row.status,
    statusReason: row.status_reason,
    statusSinceMs: ms(row.status_since),
    lastSeenAtMs: ms(row.last_seen_at),
    lastSeenSource: row.last_seen_source,
    consecutiveFailures: row.consecutive_failures,
    alertsSilencedUntilMs: ms(row.alerts_silenced_until),
    statusProfile: row.status_profile,
    devices: row.devices,
    lowGenerationStreak: row.low_generation_streak,
    alarmsCompleteAtMs: ms(row.alarms_complete_at),
  };
}

export async function findPlant(db: Db, plantId: string): Promise<PlantRow | undefined> {
  return db.selectFrom('plants').selectAll().where('id', '=', plantId).executeTakeFirst();
}

/** undefined for an unknown plant, or one beyond the scope. */
export async function findPlantIn(
  db: Db,
  scope: PlantScope,
  plantId: string,
): Promise<PlantRow | undefined> {
  const plant = await findPlant(db, plantId);
  const isInScope = scope.customerId === null || plant?.customer_id === scope.customerId;
  return isInScope ? plant : undefined;
}

/** Locks the plant's row until the transaction ends. */
export async function lockPlant(db: Db, plantId: string): Promise<PlantRow | undefined> {
  return db
    .selectFrom('plants')
    .selectAll()
    .where('id', '=', plantId)
    .forUpdate()
    .executeTakeFirst();
}

/** What people say of a new plant. */
export type NewPlant = Pick<
  PlantRow,
  | 'id'
  | 'name'
  | 'customer_id'
  | 'brand'
  | 'vendor_account_id'
  | 'vendor_plant_id'
  | 'timezone'
  | 'latitude'
  | 'longitude'
  | 'installed_capacity_kw'
  | 'poll_interval_s'
  | 'integration_status'
> & { activated_at?: Date; status_profile?: StatusProfile };

/** A statement takes 65,535 parameters, a plant up to 14 of them. */
const plantsPerInsert = 1_000;

/** Inserts any number of plants. Call it within a transaction: it may take several statements. */
export async function insertPlants(db: Db, plants: readonly NewPlant[]): Promise<void> {
  for (let from = 0; from < plants.length; from += plantsPerInsert) {
    const part = plants.slice(from, from + plantsPerInsert);
    await db.insertInto('plants').values(part).execute();
  }
}

/** Which plants to read; an absent field does not restrict. */
export interface PlantFilter {
  /** Removed plants as well, or nothing else; absent: none of them. */
  removed?: 'TOO' | 'ONLY';
  ids?: readonly string[];
  brand?: Brand;
  customer_id?: string;
  account_id?: string;
  status?: Status;
}

/** A plant as people see it; `stale` and `open_alerts` are computed when read. */
export interface PlantView extends Omit<
  PlantRow,
  'created_at' | 'seen_revision' | 'alarms_complete_at' | 'low_generation_streak' | 'devices'
> {
  /** Who paused it, and who silenced its alerts and why; null where nobody is recorded. */
  paused_by: string | null;
  alerts_silenced_by: string | null;
  alerts_silence_reason: string | null;
  open_alerts: number;
  unacknowledged_alerts: number;
  /** Messages of the active alerts of severity RED, the oldest first; and of LOW_GENERATION. */
  red_alerts: string[];
  low_generation_alert: string | null;
  /**
   * kWh, estimates, of active alerts; null where none has one. The largest of them, not their sum: each is what the whole
   * plant lost since its alert began, so that the oldest holds what the others lost.
   */
  estimated_lost_kwh: number | null;
  at_risk_kwh: number | null;
  stale: boolean;
  /** Whether the sun is down there; null where the place is unknown. */
  is_night: boolean | null;
  /** Why the account's credentials were refused last, as a sentence; null: nothing is known against them. */
  account_refusal: string | null;
  /** Messages of the other active alerts that no incident explains, the worst first; OFFLINE says what the status says. */
  other_alerts: string[];
  /**
   * The open incident of its brand, where its newest poll failed in it; else null. With `incident_brand` null it is no brand
   * that answers: our side.
   */
  incident_id: number | null;
  incident_since: Date | null;
  incident_brand: Brand | null;
  incident_recovering_since: Date | null;
  today_energy_kwh: number | null;
  /** Whether energy of any day is known, even of days before it was added. */
  has_days: boolean;
  /** Of the newest poll. */
  power_w: number | null;
  /** Where the plant stands in the order of the worst: compared part by part, ascending. */
  worst_key: (number | string)[];
}

/** The plant is in a brand's incident, and nothing that was there before it, or is its own, speaks for it. */
const isIncidentOnly = sql<boolean>`
  (i.since is not null and a.own = 0 and not (p.status in ('RED', 'YELLOW') and p.status_since < i.since))`;

/**
 * Worst first: RED; GREY with an active RED alert; YELLOW; GREEN with open alerts;
 * plants whose brand does not answer and that have no cause of their own; GREEN; other GREY; within each the unacknowledged
 * first, then the oldest. The one expression of that order: each part is a number or a text that JavaScript orders as
 * PostgreSQL does.
 */
const worstKey = sql.join([
  sql`case
    when ${isIncidentOnly} then 5
    when p.status = 'RED' then 1
    when p.status = 'GREY' and a.red > 0 then 2
    when p.status = 'YELLOW' then 3
    when p.status = 'GREEN' and a.open > 0 then 4
    when p.status = 'GREEN' then 6
    else 7
  end`,
  sql`case when ${isIncidentOnly} then array_position(array['RED', 'YELLOW', 'GREEN', 'GREY'], p.status) else 0 end`,
  sql`case when a.unacknowledged > 0 then 0 else 1 end`,
  sql`extract(epoch from p.status_since)`,
  sql`p.id collate "C"`,
]);

/** Power of an older poll is not shown as the present one. */
const powerAgeMax = sql`interval '2 days'`;

/** Plant `p` is ACTIVE, and its last poll (or its activation, before the first) older than 2 intervals + 1 min. */
const isStale = sql<boolean>`
  (p.integration_status = 'ACTIVE'
   and coalesce(p.last_polled_at, p.activated_at) < now() - stale_after(p.poll_interval_s))`;

/** The status's reason of plant `p` of account `v`, with what is known of the credentials for which it is paused. */
const shownReason = sql<StatusReason>`
  case when p.status_reason <> 'PAUSED_AUTH_ERROR' then p.status_reason
    when not exists (select from integration_credentials c where c.account_id = v.id) then 'NO_CREDENTIALS'
    when v.refusal = 'UNUSABLE' then 'UNUSABLE_CREDENTIALS'
    else p.status_reason end`;

/** The reason of a plant's status as people see it; undefined for an unknown plant. */
export async function findShownReason(db: Db, plantId: string): Promise<StatusReason | undefined> {
  const [row] = await query(db)<{ reason: StatusReason }>`
    select ${shownReason} as reason from plants p join vendor_accounts v on v.id = p.vendor_account_id
    where p.id = ${plantId}`;
  return row?.reason;
}

/** The plants of the scope that the filter names, worst first. */
export async function listPlants(
  db: Db,
  filter: PlantFilter = {},
  scope: PlantScope = allPlants,
): Promise<PlantView[]> {
  const conditions = [sql`true`];
  if (filter.ids !== undefined) conditions.push(sql`p.id = any(${[...filter.ids]}::text[])`);
  if (filter.brand !== undefined) conditions.push(sql`p.brand = ${filter.brand}`);
  if (filter.customer_id !== undefined) conditions.push(sql`p.customer_id = ${filter.customer_id}`);
  if (filter.account_id !== undefined)
    conditions.push(sql`p.vendor_account_id = ${filter.account_id}`);
  if (filter.removed !== 'TOO')
    conditions.push(sql`(p.removed_at is not null) = ${filter.removed === 'ONLY'}`);
  if (scope.customerId !== null) conditions.push(sql`p.customer_id = ${scope.customerId}`);
  if (filter.status !== undefined) conditions.push(sql`p.status = ${filter.status}`);
  const rows = await query(db)<Omit<PlantView, 'is_night'>>`
    with incidents as materialized (
      select i.id, i.brand, ${incidentSince} as since, i.recovering_since
      from brand_incidents i where i.opened_at is not null and i.closed_at is null)
    select p.id, p.name, p.customer_id, p.brand, p.vendor_account_id, p.vendor_plant_id, p.timezone, p.latitude,
      p.longitude, p.installed_capacity_kw, p.poll_interval_s, p.integration_status, p.paused_until, p.pause_reason,
      p.alerts_silenced_until, p.status_profile, p.activated_at, p.status, ${shownReason} as status_reason, p.status_since,
      p.last_seen_at, p.last_seen_source, p.last_polled_at, p.consecutive_failures, p.failing_since, p.last_poll,
      p.last_slot, p.revision, p.removed_at,
      ${pausedBy} as paused_by, ${silencedBy} as alerts_silenced_by, ${silenceReason} as alerts_silence_reason,
      a.open::int as open_alerts, a.unacknowledged::int as unacknowledged_alerts, a.red_alerts, a.low_generation_alert,
      a.estimated_lost_kwh, a.at_risk_kwh, ${isStale} as stale, v.refusal_message as account_refusal, a.other_alerts,
      i.id as incident_id, i.since as incident_since, i.brand as incident_brand,
      i.recovering_since as incident_recovering_since, s.today_energy_kwh,
      (p.last_seen_at is not null or exists (select from metric_snapshots where plant_id = p.id)) as has_days,
      case when p.last_slot > now() - ${powerAgeMax} then (p.last_poll #>> '{booked,powerW}')::float8 end as power_w,
      json_build_array(${worstKey}) as worst_key
    from plants p
    join vendor_accounts v on v.id = p.vendor_account_id
    left join lateral (
      select * from incidents
      where (brand = p.brand or brand is null) and ${failsWithBrand}
      order by brand nulls first limit 1) i on true
    cross join lateral (
      select count(*) as open, count(*) filter (where severity = 'RED') as red,
        count(*) filter (where type in ('MOCK_FAULT', 'DEVICE_DOWN') or started_at < i.since) as own,
        count(*) filter (where state = 'NEW') as unacknowledged,
        coalesce(array_agg(message order by started_at, id) filter (where severity = 'RED'), '{}') as red_alerts,
        min(message) filter (where type = 'LOW_GENERATION') as low_generation_alert,
        coalesce(array_agg(message order by severity, started_at, id) filter (
          where type not in ('OFFLINE', 'LOW_GENERATION')
            and not (i.since is not null and started_at >= i.since and type = any(${[...withheldTypes]}::text[]))), '{}')
          as other_alerts,
        max(estimated_lost_kwh) as estimated_lost_kwh, max(at_risk_kwh) as at_risk_kwh
      from alerts where plant_id = p.id and state in ('NEW', 'ACKED')) a
    left join metric_snapshots s
      on s.plant_id = p.id and s.date = (now() at time zone p.timezone)::date
    where ${sql.join(conditions, sql` and `)}
    order by ${worstKey}`;
  const nowMs = Date.now();
  return rows.map((row) => ({
    ...row,
    is_night: isNight(row, nowMs),
    estimated_lost_kwh: roundedKwh(row.estimated_lost_kwh),
    at_risk_kwh: roundedKwh(row.at_risk_kwh),
    today_energy_kwh: roundedKwh(row.today_energy_kwh),
    power_w: roundedW(row.power_w),
  }));
}

/** Every customer who has a plant, in the order of their names. */
export async function listCustomers(db: Db): Promise<string[]> {
  const rows = await query(db)<{ customer_id: string }>`
    select distinct customer_id from plants
    where customer_id is not null and removed_at is null order by customer_id`;
  return rows.map(({ customer_id }) => customer_id);
}

/** Which columns of people a command may set; undefined leaves one as it is. */
export interface PlantSettings {
  name?: string;
  customer_id?: string | null;
  timezone?: string;
  latitude?: number | null;
  longitude?: number | null;
  installed_capacity_kw?: number | null;
  poll_interval_s?: number;
  status_profile?: StatusProfile;
}

/** Changes the plants for which `where` holds, but for removed ones. @returns their ids. */
async function update(
  db: Db,
  set: Updateable<PlantTables['plants']>,
  where: RawBuilder<unknown>,
): Promise<string[]> {
  const rows = await db
    .updateTable('plants')
    .set(set)
    .where(sql<boolean>`${where}`)
    .where('removed_at', 'is', null)
    .returning('id')
    .execute();
  return rows.map((row) => row.id);
}

const activeFrom = (at: Date) => ({ integration_status: 'ACTIVE', activated_at: at }) as const;

/** The ids are one parameter: a statement takes at most 65,535. */
const isOneOf = (ids: readonly string[]) => sql`id = any(${[...ids]}::text[])`;

/** @returns the ids of the plants that exist. */
export async function updatePlants(
  db: Db,
  ids: readonly string[],
  settings: PlantSettings,
): Promise<string[]> {
  return Object.keys(settings).length === 0 ? [...ids] : update(db, settings, isOneOf(ids));
}

/** Pauses plants by an operator's order; leaves PENDING_DOCS alone. @returns the ids that are paused now. */
export async function pausePlants(
  db: Db,
  ids: readonly string[],
  { until, reason }: { until: Date | null; reason: string | null },
): Promise<string[]> {
  return update(
    db,
    { integration_status: 'DISABLED_BY_OPERATOR', paused_until: until, pause_reason: reason },
    sql`${isOneOf(ids)} and integration_status <> 'PENDING_DOCS'`,
  );
}

/**
 * Lifts an operator's pause and a pause for refused credentials; leaves PENDING_DOCS alone. @returns the ids that are
 * ACTIVE now.
 */
export async function resumePlants(db: Db, ids: readonly string[], at: Date): Promise<string[]> {
  const isPaused = sql`integration_status in ('DISABLED_BY_OPERATOR', 'PAUSED_AUTH_ERROR')`;
  return update(db, activeFrom(at), sql`${isOneOf(ids)} and ${isPaused}`);
}

/** Activates plants whose documents are complete. @returns the ids that are ACTIVE now. */
export async function activatePlants(db: Db, ids: readonly string[], at: Date): Promise<string[]> {
  return update(db, activeFrom(at), sql`${isOneOf(ids)} and integration_status = 'PENDING_DOCS'`);
}

/** Lifts the pause of every plant of the account whose credentials were refused. @returns their ids. */
export async function resumeAccount(db: Db, accountId: string, at: Date): Promise<string[]> {
  const isRefused = sql`integration_status = 'PAUSED_AUTH_ERROR'`;
  return update(db, activeFrom(at), sql`vendor_account_id = ${accountId} and ${isRefused}`);
}

/** Pauses every ACTIVE plant of the account, because its credentials are of no use. @returns their ids. */
export async function pauseAccount(db: Db, accountId: string): Promise<string[]> {
  const isActive = sql`vendor_account_id = ${accountId} and integration_status = 'ACTIVE'`;
  return update(db, { integration_status: 'PAUSED_AUTH_ERROR' }, isActive);
}

/** Ends the pauses whose `until` has passed. @returns their ids. */
export async function endPauses(db: Db, nowMs: number): Promise<string[]> {
  const isOver = sql`integration_status = 'DISABLED_BY_OPERATOR' and paused_until <= ${instant(nowMs)}`;
  return update(db, activeFrom(instant(nowMs)), isOver);
}

/** A plant as far as another could collide with it. */
export interface TakenPlant {
  id: string;
  brand: Brand;
  vendor_plant_id: string;
}

/** Which plants have one of these ids, or are one of these plants of a vendor. A removed plant keeps its id alone. */
export async function findTakenPlants(
  db: Db,
  plants: readonly TakenPlant[],
): Promise<(TakenPlant & { removed_at: Date | null })[]> {
  return query(db)<TakenPlant & { removed_at: Date | null }>`
    select p.id, p.brand, p.vendor_plant_id, p.removed_at from plants p
    where p.id = any(${plants.map((plant) => plant.id)}::text[])
      or p.removed_at is null and (p.brand, p.vendor_plant_id) in (
        select * from unnest(${plants.map((plant) => plant.brand)}::text[], ${plants.map((plant) => plant.vendor_plant_id)}::text[]))`;
}
