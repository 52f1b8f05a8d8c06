import type { AuditCounts, Violation } from '../../operations/plants/check.ts';
import type { GatewayVerdict } from './gateways/track.ts';
import { foreignCoresMax } from './load.ts';
import type { Lateness } from './lateness.ts';
import type { MessagesReport } from './mails.ts';
import { missedFreelyMax } from './missed-freely.ts';
import type { FaultKind } from './schedule.ts';

/** What a chaos run found, and whether it is as it must be. */

/** One fault, and what came of it. */
export interface FaultReport {
  kind: FaultKind;
  /** From the beginning of the schedule. */
  at_s: number;
  lasted_s: number;
  /** From its end to the first window of ten seconds that is as punctual as before; null: none was. */
  recovery_s: number | null;
  /** Processors that were busy with something else than this run, from the fault's end to the recovery. */
  foreign_cores: number;
  notes: Record<string, number | string>;
  /** What is not as it must be; one sentence each. */
  problems: string[];
}

export interface ChaosReportFile {
  seed: string;
  minutes: number;
  /** What the schedule took; longer than planned where the fleet took longer to recover. */
  played_s: number;
  plants: number;
  interval_s: number;
  polls_per_s: number;
  baseline: Lateness;
  recovered_below_ms: number;
  faults: FaultReport[];
  /** Kinds for which the minutes were too few. */
  left_out: FaultKind[];
  slots: AuditCounts;
  /** MISSED rows by the fault that explains them. */
  missed_by_fault: Record<string, number>;
  missed_without_fault: number;
  /** FAILED and SKIPPED_LOCKED rows, but for plants whose vendor always refuses, by the vendor's fault that explains them. */
  failed_by_fault: Record<string, number>;
  failed_without_fault: number;
  violations: Violation[];
  /** Workers that ended though nobody ended them. */
  ended_by_themselves: string[];
  canary: { places: number; hits: string[] };
  messages: MessagesReport;
  /** Plants that had not polled once more when the check began. */
  unsettled: number;
  gateways: GatewayVerdict;
  sentences: string[];
}

/** Slower than this before anything happened, and a machine is too busy for its lateness to say something. */
const baselineMsMax = 1_000;
/** Fewer places than one for each plant, and not every history was looked at. */
const placesMin = (plants: number) => plants;
/** Why the run has failed, one sentence each; empty where it has not. */
export function judge(report: Omit<ChaosReportFile, 'sentences'>): string[] {
  const { slots, faults, canary } = report;
  return [
    ...faults.flatMap(({ kind, at_s, problems }) =>
      problems.map((problem) => `${kind} at ${at_s} s: ${problem}`),
    ),
    ...faults
      .filter((fault) => fault.recovery_s === null && fault.foreign_cores <= foreignCoresMax)
      .map(({ kind, at_s }) => `${kind} at ${at_s} s: the fleet did not become punctual again`),
    ...counted(slots.lost, 'lost: due, and without a row'),
    ...counted(slots.doubled, 'doubled'),
    ...counted(slots.overlapping, 'overlapping polls of one plant'),
    ...counted(slots.pending, 'still pending after everybody had time to poll'),
    ...(report.missed_without_fault > missedFreelyMax(slots.slots_due)
      ? [`${report.missed_without_fault} slots were missed while nothing was wrong`]
      : []),
    ...counted(
      report.failed_without_fault,
      'polls failed or were refused by a lock while their vendor was well',
    ),
    ...counted(report.unsettled, 'plants that did not poll once more at the end'),
    ...report.violations.map(
      ({ kind, plant_id, sentence }) => `the audit found ${kind} of ${plant_id}: ${sentence}`,
    ),
    ...report.ended_by_themselves,
    ...report.gateways.problems,
    ...counted(report.messages.lost, 'messages are SENT and did not arrive'),
    ...counted(report.messages.beyond_attempts, 'messages arrived more often than they were tried'),
    ...counted(
      report.messages.waiting,
      'messages still wait after everybody had time to send them',
    ),
    ...counted(report.messages.dead, 'messages were given up'),
    ...(report.messages.sent === 0 ? ['no message was sent'] : []),
    ...canary.hits.map((place) => `a secret is in ${place}`),
    ...(canary.places < placesMin(report.plants)
      ? [`only ${canary.places} places were searched for secrets`]
      : []),
    ...(report.baseline.p99Ms > baselineMsMax
      ? [
          `the lateness p99 was ${Math.round(report.baseline.p99Ms)} ms before anything happened: the machine is too busy`,
        ]
      : []),
  ];
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}`];
}

/** When a fault could have been felt, and by whom. */
export interface Span {
  name: string;
  fromMs: number;
  toMs: number;
  isFeltBy: (plantId: string) => boolean;
}

/** Each slot goes to the newest span that holds it. */
export function explain(
  slots: readonly { plantId: string; slotMs: number }[],
  spans: readonly Span[],
): { byFault: Record<string, number>; without: number } {
  const byFault: Record<string, number> = {};
  let without = 0;
  for (const { plantId, slotMs } of slots) {
    const span = spans.findLast(
      ({ fromMs, toMs, isFeltBy }) => slotMs >= fromMs && slotMs <= toMs && isFeltBy(plantId),
    );
    if (span === undefined) without += 1;
    else byFault[span.name] = (byFault[span.name] ?? 0) + 1;
  }
  return { byFault, without };
}

/** The report for a terminal. */
export function reportText(report: ChaosReportFile): string {
  const { slots, baseline, faults } = report;
  const kinds = new Map<FaultKind, number>();
  for (const { kind } of faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const rows = faults.map((fault) => [
    `${fault.at_s} s`,
    fault.kind,
    `${fault.lasted_s} s`,
    recoveryText(fault),
    notesText(fault),
  ]);
  return [
    `seed ${report.seed}, ${report.minutes} min (played in ${report.played_s} s): ${report.plants} plants, ${report.polls_per_s} polls/s (most every ${report.interval_s} s)`,
    `before: lateness p50 ${Math.round(baseline.p50Ms)} ms, p99 ${Math.round(baseline.p99Ms)} ms of ${baseline.slots} slots; recovered below ${Math.round(report.recovered_below_ms)} ms`,
    '',
    ...columns([['at', 'fault', 'lasted', 'recovered after', ''], ...rows]),
    '',
    `faults    ${faults.length} of ${kinds.size} kinds (${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')})${report.left_out.length === 0 ? '' : `; no time for ${report.left_out.join(', ')}`}`,
    `slots     ${slots.slots_due} due, ${slots.polled} polled, ${slots.skipped} skipped, ${slots.missed} missed with their rows, ${slots.lost} lost, ${slots.doubled} doubled, ${slots.overlapping} overlapping`,
    `missed    ${byFaultText(report.missed_by_fault)}; ${report.missed_without_fault} while nothing was wrong`,
    `failed    ${byFaultText(report.failed_by_fault)}; ${report.failed_without_fault} while their vendor was well`,
    `audit     ${report.violations.length} violations; ${slots.plants} plants, ${slots.loops} loops, ${slots.locks} locks, ${slots.days} days, ${slots.alerts} alerts`,
    gatewaysText(report.gateways),
    `messages  ${report.messages.sent} sent, ${report.messages.repeated} of them repeated under the same Message-ID, ${report.messages.lost} lost`,
    `secrets   ${report.canary.hits.length} hits in ${report.canary.places} places`,
    '',
    ...(report.sentences.length === 0
      ? ['everything held']
      : ['NOT as it must be:', ...report.sentences.map((sentence) => `  ${sentence}`)]),
    '',
  ].join('\n');
}

function gatewaysText({ gateways, slots, faults, wrong_values: wrong, ...found }: GatewayVerdict) {
  return `gateways  ${gateways}, ${byFaultText(faults)}: ${slots.due} slots due, ${slots.polled} polled, ${slots.missed} missed with their rows (${found.missed_without_fault} without a reason), ${slots.lost} lost, ${slots.doubled} doubled, ${slots.overlapping} overlapping; ${wrong} wrong values; failed: ${byFaultText(found.reasons)}`;
}

function byFaultText(byFault: Readonly<Partial<Record<string, number>>>): string {
  return (
    Object.entries(byFault)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none'
  );
}

function recoveryText({ recovery_s, foreign_cores }: FaultReport): string {
  if (recovery_s !== null) return `${recovery_s} s`;
  return foreign_cores > foreignCoresMax ? `not judged (machine busy)` : 'never';
}

function notesText({ notes, foreign_cores }: FaultReport): string {
  const busy = foreign_cores > foreignCoresMax ? { foreign_cores } : {};
  return Object.entries({ ...notes, ...busy })
    .map(([name, value]) => `${name.replaceAll('_', ' ')} ${value}`)
    .join(', ');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, n) => cell.padEnd(widths[n] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
