import { countedSilenceMs, litDaysSilenceMs } from '../daylight.ts';
import type {
  AlertSeverity,
  AlertState,
  AlertType,
  DayAtTime,
  DayRow,
  PlantFacts,
} from './facts.ts';
import { incidentSentence, type IncidentTimes } from './incidents.ts';
import { decideRunningDay, type RunningVerdict } from './low-generation.ts';
import type {
  AdapterErrorType,
  Brand,
  FailureScope,
  IntegrationStatus,
  LastSeenSource,
  Outcome,
  Status,
  StatusReason,
} from './plant.ts';
import { roundedKwh } from '../rounding.ts';
import { energyText } from '../wording.ts';
import type { LocalDate } from '../zone.ts';
import { decideStatus, isSeenWithin, yellowAfterMs } from './status.ts';
import { addDays, localDateAt } from '../zone.ts';

/** Why a plant has, or had, its colour: the rule, its inputs, and what is no longer known. */

/** An alert as it was at the instant, with its events until then. */
export interface WhyAlert {
  id: number;
  type: AlertType;
  vendor_alarm_code: string | null;
  device_sn: string | null;
  severity: AlertSeverity;
  state: AlertState;
  message: string;
  started_at: string;
  vendor_level: string | null;
  vendor_text: string | null;
  events: {
    at: string;
    to_state: AlertState;
    severity: AlertSeverity;
    actor: string;
    reason: string;
  }[];
}

/** The newest poll before the instant, from the ledger: the vendor's answer that decided. */
export interface WhyPoll {
  scheduled_for: string;
  outcome: Outcome;
  adapter_error_type: AdapterErrorType | null;
  adapter_error_scope: FailureScope | null;
  error: string | null;
  power_w: number | null;
  today_energy_kwh: number | null;
  booked_date: LocalDate | null;
  source_time: string | null;
}

/** What is known of a plant at an instant. */
export interface WhyFacts {
  atMs: number;
  /** True: the present, so nothing is reconstructed. */
  isNow: boolean;
  brand: Brand;
  /** What people set, as it is now; what the loop writes, as it was at the instant, as far as known. */
  plant: PlantFacts;
  /** null: unknown, because no period covers the instant. */
  integrationStatus: IntegrationStatus | null;
  alerts: WhyAlert[];
  poll: WhyPoll | null;
  /** Rows of the 7 days before, as they were at the instant. */
  days: DayRow[];
  daysAtTime: DayAtTime[];
  /** Dates of these days that were changed after the instant. */
  changedLater: LocalDate[];
  incident: (IncidentTimes & { id: number }) | null;
  /** Columns that people changed after the instant. */
  decidedLater: string[];
}

export interface Why {
  plant_id: string;
  at: string;
  /** null: unknown. */
  status: Status | null;
  status_reason: StatusReason | null;
  rule: string;
  /** The inputs of the rule. */
  inputs: {
    integration_status: IntegrationStatus | null;
    status_profile: PlantFacts['statusProfile'];
    activated_at: string | null;
    last_seen_at: string | null;
    last_seen_source: LastSeenSource | null;
    /** By the wall clock, s; null: never seen. */
    unseen_s: number | null;
    /** As the 2 h rule and the 24 h rule count; differs from the wall clock only for DAYLIGHT. */
    unseen_s_for_2h: number | null;
    unseen_s_for_24h: number | null;
  };
  alerts: WhyAlert[];
  poll: WhyPoll | null;
  /** How LOW_GENERATION judges the poll, and with which days. */
  low_generation: {
    verdict: RunningVerdict['verdict'];
    note: string;
    days: { date: LocalDate; today_energy_kwh: number; total_at_time_kwh: number | null }[];
  };
  incident: { id: number; brand: Brand | null; since: string; sentence: string } | null;
  /** What is not known about that instant, and what is used instead. */
  limits: string[];
}

const rules: Readonly<Record<StatusReason, string>> = {
  PAUSED_AUTH_ERROR: 'GREY: the vendor refused the credentials, and the plant is not polled.',
  NO_CREDENTIALS: 'GREY: its account has no credentials, and the plant is not polled.',
  UNUSABLE_CREDENTIALS:
    'GREY: no request can be made with the stored credentials, and the plant is not polled.',
  DISABLED_BY_OPERATOR: 'GREY: an operator paused it.',
  PENDING_DOCS: 'GREY: its documents are not complete, and it is not polled.',
  WAITING_FOR_FIRST_READING: 'GREY: never seen yet, for less than 24 h since it became ACTIVE.',
  NOT_SEEN_24H: 'RED: not seen for more than 24 h (never seen: for 24 h since it became ACTIVE).',
  CRITICAL_ALERT: 'RED: an active alert of severity RED; an acknowledged one counts.',
  NOT_SEEN_2H: 'YELLOW: not seen for more than 2 h, up to and including 24 h.',
  LOW_GENERATION: 'YELLOW: an active alert LOW_GENERATION.',
  SEEN_RECENTLY: 'GREEN: seen within 2 h, and no active alert of severity RED or LOW_GENERATION.',
};

/** Judges the instant by today's rules and lists the missing inputs. */
export function explain(facts: WhyFacts): Why {
  const { atMs, plant, integrationStatus, alerts, incident } = facts;
  const decided =
    integrationStatus === null
      ? null
      : decideStatus(
          {
            ...plant,
            integrationStatus,
            activeAlerts: alerts.filter(({ state }) => state !== 'RESOLVED'),
          },
          atMs,
        );
  const reason = facts.isNow ? plant.statusReason : (decided?.reason ?? null);
  const { lastSeenAtMs } = plant;
  const seconds = (silenceMs: number) => Math.round(silenceMs / 1_000);
  return {
    plant_id: plant.plantId,
    at: new Date(atMs).toISOString(),
    status: facts.isNow ? plant.status : (decided?.status ?? null),
    status_reason: reason,
    rule:
      reason === null
        ? 'It cannot be said: no period of the plant covers this time.'
        : rules[reason],
    inputs: {
      integration_status: integrationStatus,
      status_profile: plant.statusProfile,
      activated_at: textOf(plant.activatedAtMs),
      last_seen_at: textOf(lastSeenAtMs),
      last_seen_source: plant.lastSeenSource,
      unseen_s: lastSeenAtMs === null ? null : seconds(atMs - lastSeenAtMs),
      unseen_s_for_2h:
        lastSeenAtMs === null ? null : seconds(countedSilenceMs(plant, lastSeenAtMs, atMs, null)),
      unseen_s_for_24h:
        lastSeenAtMs === null ? null : seconds(litDaysSilenceMs(plant, lastSeenAtMs, atMs, null)),
    },
    alerts,
    poll: facts.poll,
    low_generation: lowGeneration(facts),
    incident:
      incident === null
        ? null
        : {
            id: incident.id,
            brand: incident.brand,
            since: new Date(incident.failingSinceMs).toISOString(),
            sentence: incidentSentence(incident, plant.timezone, atMs),
          },
    limits: limitsOf(facts, decided?.reason ?? null),
  };
}

function lowGeneration(facts: WhyFacts): Why['low_generation'] {
  const { plant, poll, atMs } = facts;
  const today = localDateAt(atMs, plant.timezone);
  if (poll?.outcome === 'FAILED') {
    const booked = facts.days.find(({ date }) => date === today);
    const stays =
      booked === undefined
        ? ''
        : ` The ${energyText(booked.todayEnergyKwh)} that were booked to today before stay.`;
    const note = `The poll failed and measured nothing: no verdict.${stays}`;
    return { verdict: null, note, days: medianDays(facts, today) };
  }
  const measuredAtMs =
    poll?.source_time == null ? plant.lastSeenAtMs : Date.parse(poll.source_time);
  const { verdict, note } = decideRunningDay({
    today,
    totalKwh: poll?.booked_date === today ? poll.today_energy_kwh : null,
    measuredAtMs,
    slotMs: poll === null ? atMs : Date.parse(poll.scheduled_for),
    isSeen: isSeenWithin(yellowAfterMs, plant.lastSeenAtMs, atMs),
    days: facts.days,
    daysAtTime: facts.daysAtTime,
    place: plant,
  });
  return { verdict, note, days: medianDays(facts, today) };
}

function medianDays(facts: WhyFacts, today: LocalDate): Why['low_generation']['days'] {
  const from = addDays(today, -7);
  const atTime = new Map(facts.daysAtTime.map((day) => [day.date, day.totalAtTimeKwh]));
  return facts.days
    .filter((day) => day.complete && day.date >= from && day.date < today)
    .toSorted((a, b) => (a.date < b.date ? -1 : 1))
    .map(({ date, todayEnergyKwh }) => ({
      date,
      today_energy_kwh: roundedKwh(todayEnergyKwh),
      total_at_time_kwh: roundedKwh(atTime.get(date) ?? null),
    }));
}

function limitsOf(facts: WhyFacts, byRules: StatusReason | null): string[] {
  const { isNow, plant, changedLater, decidedLater } = facts;
  const limits: string[] = [];
  if (isNow) {
    if (byRules !== null && byRules !== storedReason(plant.statusReason))
      limits.push(
        `The status is as of the last evaluation; by the clock it is ${byRules}, and the next poll says so.`,
      );
    return limits;
  }
  limits.push(
    'Reconstructed by the rules of today, out of the ledger, the snapshots and the events.',
  );
  if (facts.poll === null) limits.push('No poll before this time is in the ledger.');
  if (plant.lastSeenSource === 'EVIDENCE')
    limits.push(
      'The vendor states no measurement time: the newest poll with power stands for when the plant was seen.',
    );
  if (decidedLater.length > 0)
    limits.push(`Changed since, and shown as it is now: ${decidedLater.join(', ')}.`);
  if (changedLater.length > 0)
    limits.push(
      `Totals of ${changedLater.join(', ')} were corrected since; shown are those of then, their curves are those of now.`,
    );
  return limits;
}

/** The reason without what readers know of the credentials. */
function storedReason(reason: StatusReason): StatusReason {
  return reason === 'NO_CREDENTIALS' || reason === 'UNUSABLE_CREDENTIALS'
    ? 'PAUSED_AUTH_ERROR'
    : reason;
}

const textOf = (atMs: number | null): string | null =>
  atMs === null ? null : new Date(atMs).toISOString();
