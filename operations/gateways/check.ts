import type { Kysely } from 'kysely';

import {
  findOverlappingPolls,
  findPeriodFlaws,
  findStrayLeases,
  hasLeaseKey,
  type OverlappingPolls,
  type PeriodFlaw,
} from '../../db/gateways/check.ts';
import { gatewayLedger } from '../../db/gateways/ledger.ts';
import type { Db } from '../../db/database.ts';
import {
  countSlots,
  type DoubledSlot,
  findDoubledSlots,
  findLedgerStart,
  findSlotGaps,
  findStrayRows,
  hasLedgerKey,
  type LedgerScope,
  onOneSnapshot,
  type SlotGap,
  type StrayRow,
} from '../../db/ledger/check.ts';
import type { Database } from '../../db/tables.ts';
import { type AlertFlawKind, checkAlerts } from '../check-alerts.ts';

/**
 * The check of the invariants of gateways: each due slot has one row or is counted in one, no two polls of a gateway overlap,
 * a shard has one walker, periods follow one another, alerts agree with their events. It reads PostgreSQL and changes nothing.
 */

export type GatewayViolationKind =
  | AlertFlawKind
  | 'SLOT_MISSING'
  | 'SLOT_DOUBLED'
  | 'LEDGER_KEY_MISSING'
  | 'ROW_OFF_GRID'
  | 'ROW_OUTSIDE_PERIOD'
  | 'POLLS_OVERLAP'
  | 'PERIODS_BROKEN'
  | 'PERIOD_UNLIKE_GATEWAY'
  | 'LEASE_DOUBLED';

export interface GatewayViolation {
  kind: GatewayViolationKind;
  plant_id: null;
  gateway_id: string | null;
  /** ISO instant of the violation; null: it has none. */
  at: string | null;
  sentence: string;
}

export interface GatewayCounts {
  /** = polled + skipped + missed + pending + lost */
  slots_due: number;
  polled: number;
  skipped: number;
  missed: number;
  /** Newest slots without a row, which a walker may still write. */
  pending: number;
  lost: number;
  doubled: number;
  strays: number;
  overlapping: number;
  alerts: number;
  alert_events: number;
}

export interface GatewayAudit {
  counts: GatewayCounts;
  violations: GatewayViolation[];
  truncated: boolean;
}

const listedMax = 500;
/** Alerts of gateways. */
const gatewaySubjects = { kind: 'GATEWAY', table: 'gateways', column: 'gateway_id' } as const;
/** A poll ends within 10 s, its row is written within a second. */
const pollMsMax = 15_000;
/** A changed decision is in force within a minute. */
const settledWithinMs = 60_000;
/** `late_ms` and `duration_ms` are whole milliseconds. */
const roundedMs = 3;

/**
 * Checks every invariant of gateways.
 *
 * @param window default: from the oldest kept row up to now.
 * @throws what the services throw when they are away.
 */
export async function auditGateways(
  db: Kysely<Database>,
  { fromMs, toMs = Date.now(), shards }: { fromMs?: number; toMs?: number; shards: number },
): Promise<GatewayAudit> {
  return onOneSnapshot(db, async (trx) => {
    const startMs = (await findLedgerStart(trx, gatewayLedger)) ?? toMs;
    const isKeyed = await hasLedgerKey(trx, gatewayLedger);
    const scope = { fromMs: Math.min(Math.max(fromMs ?? startMs, startMs), toMs), toMs, isKeyed };
    const slots = await readSlots(trx, scope);
    const alerts = await checkAlerts(trx, {
      subjects: gatewaySubjects,
      fromMs: scope.fromMs,
      listedMax,
    });
    const flaws = await findPeriodFlaws(trx, Date.now() - settledWithinMs, listedMax);
    const leases = await readLeases(trx, shards);
    return {
      counts: { ...slots.counts, ...alerts.counts },
      truncated: slots.truncated || alerts.truncated || flaws.length === listedMax,
      violations: [
        ...slots.violations,
        ...flaws.map((flaw) =>
          violation(
            flaw.flaw === 'UNLIKE_ROW' ? 'PERIOD_UNLIKE_GATEWAY' : 'PERIODS_BROKEN',
            { subjectId: flaw.gatewayId, at: flaw.at },
            periodSentence(flaw),
          ),
        ),
        ...leases,
        ...alerts.flaws.map(({ kind, subjectId, at, sentence }) =>
          violation(kind, { subjectId, at }, sentence),
        ),
      ],
    };
  });
}

function violation(
  kind: GatewayViolationKind,
  {
    subjectId = null,
    at = null,
  }: { subjectId?: string | null; at?: Date | string | number | null },
  sentence: string,
): GatewayViolation {
  const iso = at === null ? null : new Date(at).toISOString();
  return { kind, plant_id: null, gateway_id: subjectId, at: iso, sentence };
}

async function readSlots(db: Db, scope: LedgerScope) {
  const {
    without,
    due,
    unscheduled: _,
    strays: strayRows,
    ...counts
  } = await countSlots(db, gatewayLedger, scope);
  const gaps = without === 0 ? [] : await findSlotGaps(db, gatewayLedger, scope, listedMax);
  const lost = gaps.flatMap((gap) => lostPart(gap));
  const lostSlots = lost.reduce((sum, gap) => sum + gap.slots, 0);
  const doubled =
    counts.doubled === 0 ? [] : await findDoubledSlots(db, gatewayLedger, scope, listedMax);
  const strays =
    strayRows === 0
      ? { rows: [], total: 0 }
      : await findStrayRows(db, gatewayLedger, scope, listedMax);
  const limits = { toleranceMs: roundedMs, limit: listedMax };
  const { overlaps, total: overlapping } = await findOverlappingPolls(db, scope, limits);
  const violations = tellSlots(scope, { lost, doubled, strays: strays.rows, overlaps });
  return {
    violations,
    truncated:
      gaps.length === listedMax ||
      counts.doubled > doubled.length ||
      strays.total > strays.rows.length ||
      overlapping > overlaps.length,
    counts: {
      slots_due: due,
      ...counts,
      pending: without - lostSlots,
      lost: lostSlots,
      strays: strays.total,
      overlapping,
    },
  };
}

interface SlotFaults {
  lost: readonly SlotGap[];
  doubled: readonly DoubledSlot[];
  strays: readonly StrayRow[];
  overlaps: readonly OverlappingPolls[];
}

/** What is wrong with slots and rows, in words. */
function tellSlots(
  { isKeyed }: LedgerScope,
  { lost, doubled, strays, overlaps }: SlotFaults,
): GatewayViolation[] {
  return [
    ...(isKeyed ? [] : [keyMissing]),
    ...lost.map((gap) =>
      violation('SLOT_MISSING', { subjectId: gap.subjectId, at: gap.firstMs }, gapSentence(gap)),
    ),
    ...doubled.map(({ subjectId, at, rows, covered }) =>
      violation(
        'SLOT_DOUBLED',
        { subjectId, at },
        covered === 0
          ? `${rows} rows for one slot.`
          : `The slot has ${rows + covered} rows, ${covered} of them standing for several missed slots.`,
      ),
    ),
    ...strays.map(({ subjectId, at, trigger, outcome, grid }) =>
      grid === null
        ? violation(
            'ROW_OUTSIDE_PERIOD',
            { subjectId, at },
            `A ${trigger} row (${outcome}) at a time when the gateway was not due.`,
          )
        : violation(
            'ROW_OFF_GRID',
            { subjectId, at },
            `A ${trigger} row (${outcome}) off the gateway's grid of ${grid.phaseMs} ms + n × ${grid.intervalS} s.`,
          ),
    ),
    ...overlaps.map(({ gatewayId: subjectId, at, overlapMs }) =>
      violation(
        'POLLS_OVERLAP',
        { subjectId, at },
        `An earlier poll still ran for ${Math.round(overlapMs)} ms when this one began.`,
      ),
    ),
  ];
}

const keyMissing = violation(
  'LEDGER_KEY_MISSING',
  {},
  'The database does not forbid a second row of one slot: the primary key of gateway_readings is missing.',
);

/** Of the newest slots of a gateway only those that no walker writes any more. */
function lostPart(gap: SlotGap): SlotGap[] {
  if (!gap.newest) return [gap];
  const pendingFromMs = Date.now() - gap.intervalMs - pollMsMax;
  if (gap.firstMs >= pendingFromMs) return [];
  const slots = Math.min(gap.slots, Math.ceil((pendingFromMs - gap.firstMs) / gap.intervalMs));
  return [{ ...gap, slots, lastMs: gap.firstMs + (slots - 1) * gap.intervalMs }];
}

function gapSentence({ slots, lastMs, newest }: SlotGap): string {
  const what =
    slots === 1
      ? 'The slot has no row'
      : `${slots} slots up to ${new Date(lastMs).toISOString()} have no row`;
  return newest ? `${what}, and no walker has written that they were missed.` : `${what}.`;
}

function periodSentence({ flaw, reason, wanted }: PeriodFlaw): string {
  switch (flaw) {
    case 'OVERLAP':
      return `Its period ${reason ?? ''} begins before the one before it has ended.`;
    case 'GAP':
      return `Between its period ${reason ?? ''} and the one before it lies time of no period.`;
    case 'NONE_OPEN':
      return `It has no open period, and its row asks for ${wanted ?? ''}.`;
    case 'UNLIKE_ROW':
      return reason === wanted
        ? 'Its open period has another interval than its row.'
        : `Its open period says ${reason ?? ''}, and its row asks for ${wanted ?? ''}.`;
  }
}

/** A shard has one lease at most, and no lease in force is of a shard that does not exist. */
async function readLeases(db: Db, shards: number): Promise<GatewayViolation[]> {
  const stray = await findStrayLeases(db, shards);
  const missing = violation(
    'LEASE_DOUBLED',
    {},
    'The database does not forbid a second lease of one shard: the primary key of gateway_shards is missing.',
  );
  return [
    ...((await hasLeaseKey(db)) ? [] : [missing]),
    ...stray.map(({ shard, worker, owner }) =>
      violation(
        'LEASE_DOUBLED',
        {},
        `${worker ?? owner} walks shard ${shard}, and there are ${shards}: two walkers poll its gateways.`,
      ),
    ),
  ];
}
