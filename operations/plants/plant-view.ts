import type { PlantView } from '../../db/plants/plants.ts';
import type { StoredDay } from '../../db/plants/snapshots.ts';
import { incidentSentence } from '../../domain/plants/incidents.ts';
import type { PlantDraft } from '../../domain/plants/plant-draft.ts';
import { type PlantWarning, plantWarnings } from '../../domain/plants/plausible.ts';
import { removedSentence } from '../../domain/plants/removal.ts';
import { statusSentence } from '../../domain/plants/status.ts';
import { roundedKwh, roundedW } from '../../domain/rounding.ts';
import { sinceText } from '../../domain/wording.ts';
import { minuteMs, type ReaderZone } from '../../domain/zone.ts';

/** Plants as people see them: the same in API, pages and commands. */

/** A plant, or an alert of it, with who holds it back. */
export type Held = Pick<
  PlantView,
  | 'timezone'
  | 'integration_status'
  | 'paused_until'
  | 'pause_reason'
  | 'paused_by'
  | 'alerts_silenced_until'
  | 'alerts_silenced_by'
  | 'alerts_silence_reason'
>;

/** "Paused by ana@example.org until 18:00 UTC+2: “roof works”."; null while no operator has paused it. */
export function pauseSentence(held: Held, nowMs: number, zone: ReaderZone = null): string | null {
  if (held.integration_status !== 'DISABLED_BY_OPERATOR') return null;
  const { paused_by: by, paused_until: until, pause_reason: reason } = held;
  const ends = until === null ? '' : ` until ${untilText(until, held, nowMs, zone)}`;
  return `Paused by ${by ?? 'an operator'}${ends}${quoted(reason)}.`;
}

/** "Alerts silenced by ana@example.org until 18:00 UTC+2: “roof works”."; null while they are not. */
export function silenceSentence(held: Held, nowMs: number, zone: ReaderZone = null): string | null {
  const { alerts_silenced_until: until, alerts_silenced_by: by } = held;
  if (until === null || until.getTime() <= nowMs) return null;
  const who = by === null ? '' : ` by ${by}`;
  const ends = untilText(until, held, nowMs, zone);
  return `Alerts silenced${who} until ${ends}${quoted(held.alerts_silence_reason)}.`;
}

function untilText(until: Date, { timezone }: Held, nowMs: number, zone: ReaderZone): string {
  return sinceText(until.getTime(), zone ?? timezone, nowMs);
}

function quoted(reason: string | null): string {
  return reason === null ? '' : `: “${reason}”`;
}

/** The reason of the plant's status in sentences, with the pause and the silence that people ordered. */
export function plantSentence(plant: PlantView, nowMs: number, zone: ReaderZone = null): string {
  if (plant.removed_at !== null)
    return removedSentence(plant.removed_at.getTime(), zone ?? plant.timezone);
  const sentences = [
    incidentOf(plant, nowMs, zone),
    pauseSentence(plant, nowMs, zone) ?? reasonSentence(plant, nowMs, zone),
    silenceSentence(plant, nowMs, zone),
  ];
  return sentences.filter((sentence) => sentence !== null).join(' ');
}

function incidentOf(plant: PlantView, nowMs: number, zone: ReaderZone): string | null {
  const since = plant.incident_since?.getTime() ?? null;
  if (since === null) return null;
  const times = {
    brand: plant.incident_brand,
    failingSinceMs: since,
    recoveringSinceMs: plant.incident_recovering_since?.getTime() ?? null,
    closedAtMs: null,
  };
  return incidentSentence(times, zone ?? plant.timezone, nowMs);
}

function reasonSentence(plant: PlantView, nowMs: number, zone: ReaderZone): string {
  return statusSentence(plant.status_reason, {
    nowMs,
    timezone: zone ?? plant.timezone,
    lastSeenAtMs: plant.last_seen_at?.getTime() ?? null,
    lastSeenSource: plant.last_seen_source,
    activatedAtMs: plant.activated_at?.getTime() ?? null,
    hasDays: plant.has_days,
    lastError: plant.last_poll?.error ?? null,
    redAlerts: plant.red_alerts,
    lowGenerationAlert: plant.low_generation_alert,
    refusal: plant.account_refusal,
    otherAlerts: plant.other_alerts,
  });
}

/** Power counts as current if it was measured at most this long, or two intervals, before its poll. */
const powerAgeMsMin = 30 * minuteMs;

/** The newest poll's power while that is fresh; else null, and the note says why. */
export function powerNow(plant: PlantView): {
  power_now_w: number | null;
  power_note: string | null;
} {
  const note = powerNoteOf(plant);
  return { power_now_w: note === null ? plant.power_w : null, power_note: note };
}

/** Why the newest power does not count as the current one; null if it does. */
function powerNoteOf(plant: PlantView): string | null {
  if (plant.integration_status !== 'ACTIVE') return 'not polled';
  if (plant.stale) return 'not polled in time';
  const poll = plant.last_poll;
  if (poll === null) return 'not polled yet';
  if (poll.booked === null) return 'the last poll failed';
  if (plant.power_w === null) return 'the vendor gave no power';
  const { sourceTimeMs } = poll.booked;
  const ageMsMax = Math.max(powerAgeMsMin, 2 * plant.poll_interval_s * 1000);
  return sourceTimeMs !== null && poll.startedAtMs - sourceTimeMs > ageMsMax
    ? 'the newest measurement is old'
    : null;
}

/** The time since which a stale plant was not polled; null: the plant is not stale. */
export function notPolledSince(plant: PlantView): Date | null {
  return plant.stale ? (plant.last_polled_at ?? plant.activated_at) : null;
}

/** The status; for a stale plant after the time since which it was not polled. */
export function statusWords(plant: PlantView, nowMs: number, zone: ReaderZone = null): string {
  const since = notPolledSince(plant);
  if (since === null) return plant.status;
  return `not polled since ${sinceText(since.getTime(), zone ?? plant.timezone, nowMs)}: ${plant.status}`;
}

/** Who holds a plant back, as JSON. */
export function heldJson(held: Held) {
  return {
    paused_until: held.paused_until?.toISOString() ?? null,
    pause_reason: held.pause_reason,
    paused_by: held.paused_by,
    alerts_silenced_until: held.alerts_silenced_until?.toISOString() ?? null,
    alerts_silenced_by: held.alerts_silenced_by,
    alerts_silence_reason: held.alerts_silence_reason,
  };
}

/** What looks wrong in the settings of a plant; each may be true. */
export function settingWarnings(
  plant: Pick<
    PlantView,
    'brand' | 'timezone' | 'latitude' | 'longitude' | 'installed_capacity_kw' | 'poll_interval_s'
  >,
): PlantWarning[] {
  const { brand, timezone, latitude, longitude } = plant;
  return plantWarnings({
    brand,
    timezone,
    latitude,
    longitude,
    capacityKw: plant.installed_capacity_kw,
    intervalS: plant.poll_interval_s,
  });
}

/** The same of new plants. @param intervalS of a draft that names none. */
export function draftWarnings(
  drafts: readonly PlantDraft[],
  intervalS: number,
): (PlantWarning & { index: number })[] {
  return drafts.flatMap((draft, index) => {
    const { capacity_kw: capacityKw, interval } = draft;
    const warnings = plantWarnings({ ...draft, capacityKw, intervalS: interval ?? intervalS });
    return warnings.map((warning) => ({ index, ...warning }));
  });
}

/** A plant as JSON: snake_case, instants as ISO 8601. Only the fields named here are shown. */
export function plantJson(plant: PlantView, nowMs: number) {
  return {
    id: plant.id,
    name: plant.name,
    customer_id: plant.customer_id,
    brand: plant.brand,
    vendor_account_id: plant.vendor_account_id,
    vendor_plant_id: plant.vendor_plant_id,
    timezone: plant.timezone,
    latitude: plant.latitude,
    longitude: plant.longitude,
    installed_capacity_kw: plant.installed_capacity_kw,
    poll_interval_s: plant.poll_interval_s,
    status_profile: plant.status_profile,
    integration_status: plant.integration_status,
    ...heldJson(plant),
    removed_at: plant.removed_at?.toISOString() ?? null,
    activated_at: plant.activated_at?.toISOString() ?? null,
    status: plant.status,
    status_reason: plant.status_reason,
    status_since: plant.status_since.toISOString(),
    status_sentence: plantSentence(plant, nowMs),
    last_seen_at: plant.last_seen_at?.toISOString() ?? null,
    last_seen_source: plant.last_seen_source,
    last_polled_at: plant.last_polled_at?.toISOString() ?? null,
    stale: plant.stale,
    is_night: plant.is_night,
    failing_since: plant.failing_since?.toISOString() ?? null,
    incident_id: plant.incident_id,
    incident_since: plant.incident_since?.toISOString() ?? null,
    incident_brand: plant.incident_brand,
    not_polled_since: notPolledSince(plant)?.toISOString() ?? null,
    consecutive_failures: plant.consecutive_failures,
    revision: plant.revision,
    open_alerts: plant.open_alerts,
    unacknowledged_alerts: plant.unacknowledged_alerts,
    estimated_lost_kwh: plant.estimated_lost_kwh,
    at_risk_kwh: plant.at_risk_kwh,
    today_energy_kwh: plant.today_energy_kwh,
    power_w: plant.power_w,
    ...powerNow(plant),
  };
}

/** A day of a plant as JSON. */
export function dayJson(day: StoredDay) {
  return {
    date: day.date,
    today_energy_kwh: roundedKwh(day.todayEnergyKwh),
    peak_power_w: roundedW(day.peakPowerW),
    lifetime_energy_kwh: roundedKwh(day.lifetimeEnergyKwh),
    quality: day.quality,
    complete: day.complete,
    last_seen_at: day.lastSeenAtMs === null ? null : new Date(day.lastSeenAtMs).toISOString(),
  };
}
