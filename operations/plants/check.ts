import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import {
  type FlawedAlert,
  findDoubledAlerts,
  findFlawedAlerts,
  hasDedupeIndex,
} from '../../db/check-alerts.ts';
import { plantSubjects } from '../../db/plants/alerts.ts';
import {
  type AuditWindow,
  countSlots,
  findDoubledSlots,
  findLedgerStart,
  findStrayRows,
  hasLedgerKey,
  type LedgerScope,
  onOneSnapshot,
} from '../../db/ledger/check.ts';
import {
  type DayBesideLedger,
  findDaysUnlikeLedger,
  findOverlaps,
  listPlantsToWatch,
} from '../../db/plants/check-ledger.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import type { Db } from '../../db/database.ts';
import type { Locks } from '../../db/lock.ts';
import type { Database } from '../../db/tables.ts';
import { plantOfWorkflowId, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { findGaps, judgeGaps, type JudgedGaps, type LostGap } from './check-gaps.ts';
import {
  type AuditedLoops,
  auditedLoops,
  compareLoops,
  heldLocks,
  runningStrangers,
  strangersTo,
} from './check-loops.ts';

/**
 * The check of the invariants, which hold for the ledger, the loops and the locks whatever happened to the system. It reads
 * PostgreSQL, Temporal and Redis and changes nothing.
 */

export const violationKinds = [
  'SLOT_MISSING',
  'SLOT_DOUBLED',
  'LEDGER_KEY_MISSING',
  'POLL_WITHOUT_ROW',
  'ROW_OFF_GRID',
  'ROW_OUTSIDE_PERIOD',
  'POLLS_OVERLAP',
  'DAY_UNLIKE_LEDGER',
  'ALERT_DOUBLED',
  'ALERT_INDEX_MISSING',
  'ALERT_EVENTS_BROKEN',
  'ALERT_UNLIKE_EVENTS',
  'LOOP_MISSING',
  'LOOP_UNKNOWN',
  'LOCK_WITHOUT_TTL',
  'LOCK_UNKNOWN_OWNER',
] as const;
export type ViolationKind = (typeof violationKinds)[number];

export interface Violation {
  kind: ViolationKind;
  plant_id: string | null;
  /** ISO instant of the violation; null: it has none. */
  at: string | null;
  sentence: string;
}

export interface AuditCounts {
  /** = polled + skipped + missed + pending + lost */
  slots_due: number;
  polled: number;
  skipped: number;
  missed: number;
  /** Due slots without a row whose poll runs, or may still begin in time. */
  pending: number;
  /** Due slots without a row that no poll will write. */
  lost: number;
  doubled: number;
  /** Rows of slots that were not due. */
  strays: number;
  overlapping: number;
  /** START and MANUAL polls off the grid. */
  unscheduled: number;
  days: number;
  alerts: number;
  alert_events: number;
  plants: number;
  loops: number;
  locks: number;
}

export interface AuditReport {
  checked_from: string;
  checked_to: string;
  counts: AuditCounts;
  violations: Violation[];
  /** The list is cut; the counts are complete. */
  truncated: boolean;
}

export interface AuditOptions {
  db: Kysely<Database>;
  locks: Pick<Locks, 'list'>;
  /** Default: the oldest kept row. */
  fromMs?: number;
  /** Default: now. Later than now on a clock that runs ahead. */
  toMs?: number;
}

/** Limit of violations that each part of the check lists. */
const listedMax = 500;
/** `started_at` is the workflow's time, `duration_ms` the worker's. */
const clocksDifferMs = 5;
/** The reconciliation starts loops every 30 s, and what changed is right within a minute. */
const reconciledWithinMs = 60_000;

/** Checks every invariant. @throws what the services throw when they are away. */
export async function audit(
  options: AuditOptions & ({ client: Client } | { loops: AuditedLoops }),
): Promise<AuditReport> {
  const { db, locks } = options;
  const loops = 'loops' in options ? options.loops : auditedLoops(options.client);
  const toMs = options.toMs ?? Date.now();
  const nowMs = Math.max(toMs, Date.now());
  const ledger = await onOneSnapshot(db, async (trx) => {
    const startMs = (await findLedgerStart(trx, plantLedger)) ?? toMs;
    const fromMs = Math.min(Math.max(options.fromMs ?? startMs, startMs), toMs);
    const scope = { fromMs, toMs, isKeyed: await hasLedgerKey(trx, plantLedger) };
    return {
      scope,
      slots: await readSlots(trx, scope),
      days: await readDays(trx, scope, startMs),
      alerts: await readAlerts(trx, fromMs),
    };
  });
  const gaps = await judgeGaps({ db, loops, scope: ledger.scope, nowMs }, ledger.slots.gaps);
  const lost = gaps.slots.reduce((sum, gap) => sum + gap.slots, 0);
  const fleet = await checkLoops(db, loops);
  const locked = await checkLocks(loops, locks);
  const parts = [tellGaps(gaps), ledger.slots, ledger.days, ledger.alerts, fleet, locked];
  const { due, without, ...slots } = ledger.slots.counts;
  return {
    checked_from: new Date(ledger.scope.fromMs).toISOString(),
    checked_to: new Date(ledger.scope.toMs).toISOString(),
    counts: {
      slots_due: due,
      ...slots,
      pending: without - lost,
      lost,
      ...ledger.days.counts,
      ...ledger.alerts.counts,
      ...fleet.counts,
      ...locked.counts,
    },
    violations: parts.flatMap((part) => part.violations.slice(0, listedMax)),
    truncated: parts.some((part) => part.truncated || part.violations.length > listedMax),
  };
}

/** Wrong slots and rows, and the gaps, which are judged with the loops' help. */
async function readSlots(db: Db, scope: LedgerScope) {
  const { strays: strayRows, ...counts } = await countSlots(db, plantLedger, scope);
  const gaps = await findGaps(db, scope, counts.without);
  const doubled =
    counts.doubled > 0 ? await findDoubledSlots(db, plantLedger, scope, listedMax) : [];
  const strays =
    strayRows > 0 ? await findStrayRows(db, plantLedger, scope, listedMax) : { rows: [], total: 0 };
  const { overlaps, total: overlapping } = await findOverlaps(db, scope, clocksDifferMs, listedMax);
  const violations: Violation[] = [
    ...(scope.isKeyed ? [] : [ledgerKeyMissing]),
    ...doubled.map(({ rows, covered, ...slot }) => {
      const several = `The slot has ${rows + covered} rows, ${covered} of them standing for several missed slots.`;
      return violation(
        'SLOT_DOUBLED',
        slot,
        covered === 0 ? `${rows} rows for one slot.` : several,
      );
    }),
    ...strays.rows.map(({ trigger, outcome, grid, ...row }) => {
      const what = `A ${trigger} row (${outcome})`;
      if (grid === null)
        return violation(
          'ROW_OUTSIDE_PERIOD',
          row,
          `${what} at a time when the plant was not due.`,
        );
      const gridText = `${grid.phaseMs} ms + n × ${grid.intervalS} s`;
      return violation('ROW_OFF_GRID', row, `${what} off the plant's grid of ${gridText}.`);
    }),
    ...overlaps.map(({ plantId: subjectId, at, overlapMs }) => {
      const sentence = `An earlier poll still ran for ${Math.round(overlapMs)} ms when this one began.`;
      return violation('POLLS_OVERLAP', { subjectId, at }, sentence);
    }),
  ];
  const truncated =
    counts.doubled > doubled.length ||
    strays.total > strays.rows.length ||
    overlapping > overlaps.length;
  return { violations, truncated, gaps, counts: { ...counts, strays: strays.total, overlapping } };
}

function violation(
  kind: ViolationKind,
  { subjectId = null, at }: { subjectId?: string | null; at?: Date | string | number },
  sentence: string,
): Violation {
  return { kind, plant_id: subjectId, at: at === undefined ? null : iso(at), sentence };
}

const ledgerKeyMissing = violation(
  'LEDGER_KEY_MISSING',
  {},
  'The database does not forbid a second row of one slot: the primary key of poll_logs is missing.',
);

function tellGaps({ slots, polls, truncated }: JudgedGaps) {
  const place = ({ subjectId, firstMs }: LostGap) => ({ subjectId, at: firstMs });
  const booked =
    'A poll of this time is booked on the plant or its day, and the ledger has no row of it.';
  return {
    truncated,
    violations: [
      ...slots.map((gap) => violation('SLOT_MISSING', place(gap), gapSentence(gap))),
      ...polls.map((poll) => violation('POLL_WITHOUT_ROW', place(poll), booked)),
    ],
  };
}

function gapSentence({ slots, lastMs, newest, polling }: LostGap): string {
  const what =
    slots === 1 ? 'The slot has no row' : `${slots} slots up to ${iso(lastMs)} have no row`;
  if (polling === 'NO_ANSWER') return `${what}, and the plant's loop does not answer.`;
  return `${what}${newest ? ', and its loop is not at it' : ''}.`;
}

async function readDays(db: Db, window: AuditWindow, ledgerStartMs: number) {
  const unlike = await findDaysUnlikeLedger(db, window, ledgerStartMs, listedMax);
  const { days, compared, total } = unlike;
  return {
    counts: { days: compared },
    truncated: total > days.length,
    violations: days.map((day) =>
      violation('DAY_UNLIKE_LEDGER', { subjectId: day.plantId }, daySentence(day)),
    ),
  };
}

function daySentence(day: DayBesideLedger): string {
  const ledger = `${amount(day.ledgerEnergyKwh, 'kWh')}, ${amount(day.ledgerPeakPowerW, 'W')}`;
  return `${day.date} holds ${amount(day.energyKwh, 'kWh')} and a peak of ${amount(day.peakPowerW, 'W')}; the highest of its polls are ${ledger}.`;
}

function amount(value: number | null, unit: string): string {
  return value === null ? `no ${unit}` : `${value} ${unit}`;
}

async function readAlerts(db: Db, fromMs: number) {
  const doubled = await findDoubledAlerts(db, plantSubjects, listedMax);
  const { alerts, total, ...checked } = await findFlawedAlerts(
    db,
    plantSubjects,
    fromMs,
    listedMax,
  );
  return {
    violations: [
      ...((await hasDedupeIndex(db, plantSubjects)) ? [] : [dedupeIndexMissing]),
      ...doubled.map(({ subjectId, key, alertIds, startedAt: at }) => {
        const sentence = `${alertIds.length} active alerts of ${key}: ${alertIds.join(', ')}.`;
        return violation('ALERT_DOUBLED', { subjectId, at }, sentence);
      }),
      ...alerts.map((alert) => {
        const isUnlike = ['NO_EVENT', 'STATE', 'SEVERITY'].includes(alert.flaw);
        const kind = isUnlike ? 'ALERT_UNLIKE_EVENTS' : 'ALERT_EVENTS_BROKEN';
        return violation(kind, alert, alertSentence(alert));
      }),
    ],
    truncated: total > alerts.length || doubled.length === listedMax,
    counts: { alerts: checked.alertsChecked, alert_events: checked.eventsChecked },
  };
}

const dedupeIndexMissing = violation(
  'ALERT_INDEX_MISSING',
  {},
  'The database does not forbid a second active alert of one dedupe key: its unique index is missing.',
);

function alertSentence({ alertId, flaw, state, severity, event, before }: FlawedAlert): string {
  const step = event === null ? '' : `${event.from ?? 'nothing'} → ${event.to} ${event.severity}`;
  const after = before === null ? '' : `after ${before.to} ${before.severity}`;
  switch (flaw) {
    case 'NO_EVENT':
      return `Alert ${alertId} is ${state} ${severity} and has no event.`;
    case 'FIRST':
      return `The first event of alert ${alertId} is ${step}, not its rise to NEW.`;
    case 'BROKEN':
      return `Alert ${alertId} has the event ${step} ${after}: a transition between them is missing.`;
    case 'REPEATED':
      return `Alert ${alertId} has the event ${step} ${after}: nothing changed.`;
    case 'LOWERED':
      return `Alert ${alertId} has the event ${step} ${after}: nothing lowers an active alert.`;
    case 'RISE':
      return `Alert ${alertId} has the event ${step} ${after}: a rise makes an alert NEW.`;
    case 'STATE':
      return `Alert ${alertId} is ${state} and its last event says ${event?.to ?? 'nothing'}.`;
    case 'SEVERITY':
      return `Alert ${alertId} is ${severity} and its last event says ${event?.severity ?? 'nothing'}.`;
  }
}

/** Every plant has one running loop, and every loop has its plant. The loop of a removed plant may run, until it ends. */
async function checkLoops(db: Kysely<Database>, loops: AuditedLoops) {
  const readPlants = () => listPlantsToWatch(db);
  const createdBeforeMs = Date.now() - reconciledWithinMs;
  const { listed, plants, missing } = await compareLoops(loops, readPlants);
  const running = await runningStrangers(loops, plants, listed);
  // A plant may have been added while the loops were listed.
  const unknown = running.length === 0 ? [] : strangersTo(await readPlants(), running);
  return {
    counts: {
      plants: plants.filter(({ removed }) => !removed).length,
      loops: plants.length - missing.length + unknown.length,
    },
    truncated: false,
    violations: [
      ...missing
        .filter((plant) => !plant.removed && plant.createdAtMs < createdBeforeMs)
        .map(({ id }) =>
          violation('LOOP_MISSING', { subjectId: id }, `No workflow ${pollWorkflowId(id)} runs.`),
        ),
      ...unknown.map((workflowId) => {
        const subjectId = plantOfWorkflowId(workflowId);
        const sentence = `The loop ${workflowId} runs and belongs to no plant.`;
        return violation('LOOP_UNKNOWN', { subjectId }, sentence);
      }),
    ],
  };
}

/** Every lock has an end and belongs to the loop of its plant in this cluster and namespace. */
async function checkLocks(loops: AuditedLoops, locks: Pick<Locks, 'list'>) {
  const { domain, held } = await heldLocks(loops, locks);
  const violations = held.flatMap(({ key, plantId: subjectId, ttlMs, owner, ownerId }) => {
    const isOurs = ownerId === pollWorkflowId(subjectId);
    const foreign = `${key} belongs to ${owner}, not to the plant's loop in ${domain}.`;
    return [
      ...(ttlMs >= 0
        ? []
        : [violation('LOCK_WITHOUT_TTL', { subjectId }, `${key} has no time to live.`)]),
      ...(isOurs ? [] : [violation('LOCK_UNKNOWN_OWNER', { subjectId }, foreign)]),
    ];
  });
  return { violations, truncated: false, counts: { locks: held.length } };
}

function iso(at: Date | string | number): string {
  return new Date(at).toISOString();
}
