import type { AlertType } from './facts.ts';
import { type AdapterErrorType, type Brand, brandName } from './plant.ts';
import { sinceText } from '../wording.ts';
import { hourMs, minuteMs } from '../zone.ts';

/**
 * A brand that does not answer is one incident instead of an alarm for each plant. The fleet's reconciliation judges it by
 * each active plant's newest poll. `countsForIncident` says which failures count.
 */

/** The conditions of an incident. */
export interface IncidentLimits {
  /** Minimum number of failing plants of the brand. */
  plantsMin: number;
  /** Minimum duration, ms; also at least two reconciliations. */
  afterMs: number;
}
export const incidentLimits: IncidentLimits = { plantsMin: 5, afterMs: 5 * minuteMs };

/** It opens while at least one in this number of the brand's plants fails. */
const opensFromOneIn = 3;
/** It closes when fewer than one in this number have failed for one interval. */
const closesBelowOneIn = 10;
const sightingsMin = 2;
/** Alerts that are kept but not announced meanwhile: the incident speaks for them. */
export const withheldTypes: ReadonlySet<string> = new Set<AlertType>([
  'OFFLINE',
  'API_ERROR',
  'LOW_GENERATION',
]);
/** "Our side" needs at least two failing brands and none that answers. */
const brandsMin = 2;
/** One refused account may have a wrong password; three at once mean that the vendor's sign-in is out of order. */
export const refusedAccountsMin = 3;
/** While credentials are held, one plant tries its own at this interval. */
export const probeAfterMs = hourMs;

/** A brand's newest polls that are at most two intervals and a minute old. */
export interface BrandCount {
  brand: Brand;
  plantsActive: number;
  plantsFailed: number;
  /** Failed plants by error. */
  errors: Partial<Record<AdapterErrorType, number>>;
  /** Accounts whose credentials a request was refused for since the last release. */
  accountsRefused: number;
  /** The median interval of its plants, ms. */
  intervalMs: number;
  /** The first of the failed polls in a row of each failed plant, ms. */
  failingSinceMs: readonly number[];
}

export interface Incident {
  /** null until it is written. */
  id: number | null;
  /** null: all brands, our side. */
  brand: Brand | null;
  /** The first failed poll of the outage, ms. People are told this time. */
  failingSinceMs: number;
  /** When a reconciliation first saw it, ms. */
  suspectedAtMs: number;
  sightings: number;
  openedAtMs: number | null;
  recoveringSinceMs: number | null;
  closedAtMs: number | null;
  plantsFailed: number;
  /** The largest number of plants that failed at once. */
  plantsFailedMost: number;
  plantsActive: number;
  errors: Partial<Record<AdapterErrorType, number>>;
  heldAtMs: number | null;
  probedAtMs: number | null;
  releasedAtMs: number | null;
}

export interface DecidedIncidents {
  /** Suspected, open or just closed incidents, as they must be stored. */
  incidents: Incident[];
  /** Ids of suspicions that ended. */
  forgotten: number[];
}

/**
 * Advances the incidents of the fleet by one reconciliation.
 *
 * @param before suspected and open ones.
 * @param seen.probesAnswered ids of incidents in which one plant tried held credentials and the vendor accepted them.
 */
export function decideIncidents(
  before: readonly Incident[],
  { counts, probesAnswered }: { counts: readonly BrandCount[]; probesAnswered: readonly number[] },
  nowMs: number,
  limits: IncidentLimits,
): DecidedIncidents {
  const polled = counts.filter(({ plantsActive }) => plantsActive > 0);
  const isOurs =
    polled.filter((count) => isFailing(count, limits)).length >= brandsMin &&
    polled.every((count) => failsBy(count, opensFromOneIn));
  const ours = before.find(({ brand }) => brand === null) ?? null;
  const ofBrand = (brand: Brand) => before.find((incident) => incident.brand === brand) ?? null;
  const suspicions = before
    .filter((one) => one.brand !== null && one.openedAtMs === null)
    .toSorted((a, b) => a.suspectedAtMs - b.suspectedAtMs);
  const answered = (incident: Incident | null) =>
    incident?.id != null && probesAnswered.includes(incident.id);
  const followed: (Incident | null)[] = [];

  const all = sumOf(polled);
  const oursBefore = ours ?? (isOurs ? (suspicions[0] ?? null) : null);
  followed.push(
    follow(
      oursBefore === null ? null : { ...oursBefore, id: ours?.id ?? null, brand: null },
      {
        brand: null,
        count: all,
        isFailing: isOurs,
        // A brand that answers shows that the fault is not ours.
        isRecovering: polled.some((count) => !failsBy(count, closesBelowOneIn)),
        isProbeAnswered: answered(ours),
      },
      nowMs,
      limits,
    ),
  );
  for (const count of counts) {
    const known = ofBrand(count.brand);
    const isOpen = known !== null && known.openedAtMs !== null;
    // An incident of all brands opens none for each brand; one that was open before continues.
    if (isOurs && !isOpen) continue;
    const fails = isFailing(count, limits);
    // A brand that still fails when others answer again has failed since the incident of all began.
    const begun = known ?? (fails && ours !== null ? begunWith(ours) : null);
    followed.push(
      follow(
        begun === null ? null : { ...begun, brand: count.brand },
        {
          brand: count.brand,
          count,
          isFailing: fails,
          isRecovering: count.plantsActive > 0 && !failsBy(count, closesBelowOneIn),
          isProbeAnswered: answered(known),
        },
        nowMs,
        limits,
      ),
    );
  }
  const incidents = followed.filter((incident) => incident !== null);
  const kept = new Set(incidents.map(({ id }) => id));
  const counted = new Set<Brand | null>([null, ...counts.map(({ brand }) => brand)]);
  return {
    incidents,
    forgotten: before.flatMap(({ id, brand, openedAtMs }) =>
      // An open incident stays when its brand has no plants left: nothing shows that it is over.
      id === null || kept.has(id) || (openedAtMs !== null && !counted.has(brand)) ? [] : [id],
    ),
  };
}

interface Seen {
  brand: Brand | null;
  count: Omit<BrandCount, 'brand'>;
  isFailing: boolean;
  isRecovering: boolean;
  isProbeAnswered: boolean;
}

/** One incident, one reconciliation later; null if there is none, or the suspicion ended. */
function follow(
  before: Incident | null,
  { brand, count, isFailing: fails, isRecovering, isProbeAnswered }: Seen,
  nowMs: number,
  limits: IncidentLimits,
): Incident | null {
  const { plantsFailed, plantsActive, errors } = count;
  if (before === null) {
    if (!fails) return null;
    const none = {
      openedAtMs: null,
      recoveringSinceMs: null,
      closedAtMs: null,
      heldAtMs: null,
      probedAtMs: null,
      releasedAtMs: null,
    };
    const counted = { plantsFailed, plantsFailedMost: plantsFailed, plantsActive, errors };
    const failingSinceMs = outageBeganMs(count, nowMs, limits);
    const since = { failingSinceMs, suspectedAtMs: nowMs, sightings: 1 };
    return { id: null, brand, ...since, ...counted, ...none };
  }
  const plantsFailedMost = Math.max(before.plantsFailedMost, plantsFailed);
  const seen = { ...before, plantsFailed, plantsFailedMost, plantsActive, errors };
  if (before.openedAtMs === null) {
    if (!fails) return null;
    const sightings = before.sightings + 1;
    const opens = sightings >= sightingsMin && nowMs - before.suspectedAtMs >= limits.afterMs;
    const followed = { ...seen, sightings, openedAtMs: opens ? nowMs : null };
    return opens ? hold(followed, count.accountsRefused, false, nowMs) : followed;
  }
  const recoveringSinceMs = isRecovering ? (before.recoveringSinceMs ?? nowMs) : null;
  const closes = recoveringSinceMs !== null && nowMs - recoveringSinceMs >= count.intervalMs;
  if (closes) return { ...seen, recoveringSinceMs, closedAtMs: nowMs, heldAtMs: null };
  return hold({ ...seen, recoveringSinceMs }, count.accountsRefused, isProbeAnswered, nowMs);
}

/** Credentials are held once those of three accounts were refused, until the one plant that tries is accepted. */
function hold(
  incident: Incident,
  accountsRefused: number,
  isProbeAnswered: boolean,
  nowMs: number,
): Incident {
  if (incident.heldAtMs === null) {
    // They were refused just now: the first try comes in an hour.
    return accountsRefused >= refusedAccountsMin
      ? { ...incident, heldAtMs: nowMs, probedAtMs: nowMs }
      : incident;
  }
  return isProbeAnswered ? { ...incident, heldAtMs: null, releasedAtMs: nowMs } : incident;
}

function isFailing(count: BrandCount, { plantsMin }: IncidentLimits): boolean {
  return count.plantsFailed >= plantsMin && failsBy(count, opensFromOneIn);
}

/**
 * The first failed poll of an outage, ms. Plants that began to fail more than an interval before enough of them did
 * are not part of it: a plant that has failed for days does not date the outage of its brand.
 */
function outageBeganMs(
  { failingSinceMs, plantsActive, intervalMs }: Omit<BrandCount, 'brand'>,
  nowMs: number,
  { plantsMin }: IncidentLimits,
): number {
  const inOrder = failingSinceMs.toSorted((a, b) => a - b);
  const needed = Math.max(plantsMin, Math.ceil(plantsActive / opensFromOneIn));
  const enoughAtMs = inOrder[needed - 1] ?? inOrder.at(-1) ?? nowMs;
  return inOrder.find((atMs) => atMs >= enoughAtMs - intervalMs) ?? nowMs;
}

/** Whether at least one in `oneIn` of the brand's plants fails. */
function failsBy({ plantsFailed, plantsActive }: BrandCount, oneIn: number): boolean {
  return plantsFailed * oneIn >= plantsActive;
}

/** The suspicion of a brand, dated from the incident of all brands. */
function begunWith(ours: Incident): Incident {
  return { ...ours, id: null, openedAtMs: null, recoveringSinceMs: null, heldAtMs: null };
}

function sumOf(counts: readonly BrandCount[]): Omit<BrandCount, 'brand'> {
  const sum = (value: (count: BrandCount) => number) =>
    counts.reduce((total, count) => total + value(count), 0);
  const errors: BrandCount['errors'] = {};
  for (const count of counts)
    for (const [type, plants] of Object.entries(count.errors))
      errors[type as AdapterErrorType] = (errors[type as AdapterErrorType] ?? 0) + plants;
  return {
    plantsActive: sum((count) => count.plantsActive),
    plantsFailed: sum((count) => count.plantsFailed),
    errors,
    accountsRefused: sum((count) => count.accountsRefused),
    intervalMs: Math.max(0, ...counts.map((count) => count.intervalMs)),
    failingSinceMs: counts.flatMap((count) => count.failingSinceMs),
  };
}

/** The words of an incident: its times, ms. */
export interface IncidentTimes {
  /** null: no vendor answers, so the fault is ours. */
  brand: Brand | null;
  failingSinceMs: number;
  /** Since when nearly all of its plants are answered again; null while they are not. */
  recoveringSinceMs: number | null;
  closedAtMs: number | null;
}

/**
 * An incident as one sentence, by the plant's clock.
 *
 * @example "HUAWEI not answering since 10:00.", "HUAWEI answers again since 10:25, after not answering since 10:00.",
 *   "HUAWEI did not answer from 10:00 to 10:25."
 */
export function incidentSentence(
  { brand, failingSinceMs, recoveringSinceMs, closedAtMs }: IncidentTimes,
  timezone: string,
  nowMs: number,
): string {
  const since = sinceText(failingSinceMs, timezone, nowMs);
  if (recoveringSinceMs === null && closedAtMs === null)
    return brand === null
      ? `Our side: no vendor answers since ${since}.`
      : `${brandName(brand)} not answering since ${since}.`;
  const until = sinceText(recoveringSinceMs ?? closedAtMs ?? nowMs, timezone, nowMs);
  if (closedAtMs === null)
    return brand === null
      ? `Our side: vendors answer again since ${until}, after not answering since ${since}.`
      : `${brandName(brand)} answers again since ${until}, after not answering since ${since}.`;
  return brand === null
    ? `Our side: no vendor answered from ${since} to ${until}.`
    : `${brandName(brand)} did not answer from ${since} to ${until}.`;
}
