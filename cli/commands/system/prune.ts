import type { Kysely } from 'kysely';

import {
  LedgerInUseError,
  type OldMonth,
  onPruneSession,
  planPrune,
  prune as pruneLedger,
  type PruneProgress,
  PruneRunsError,
  type PrunePlan,
} from '../../../db/ledger/prune.ts';
import {
  dropPlan,
  type NotificationCounts,
  type NotificationsPlan,
  planNotifications,
  pruneNotifications,
} from '../../../db/notifications/prune.ts';
import { gatewayLedger } from '../../../db/gateways/ledger.ts';
import {
  dropQuarters,
  findRolledUntil,
  listOldQuarters,
  type OldQuarters,
} from '../../../db/gateways/rollups.ts';
import { plantLedger } from '../../../db/plants/ledger.ts';
import type { Database } from '../../../db/tables.ts';
import { dayMs } from '../../../domain/zone.ts';
import { counted, spaceText } from '../../../domain/wording.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals, readFlag, requireFlag } from '../../arguments.ts';
import { type Command, type CommandContext, type CommandIo, usageError } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { FieldProblem } from '../../plant-fields.ts';
import { outputWidth, print, writeJson } from '../../render.ts';
import { indented, right, tableText } from '../../table.ts';
import { agree } from '../plants/selected-plants.ts';

/**
 * Rules read up to a week of the ledger: a closing may come three dates late, and estimates use bookings until four days after
 * an alert. One more day covers all time zones.
 */
const olderThanDaysMin = 8;
const olderThanDaysMax = 36_500;
/** Readings of gateways are many: they are kept this long unless said, their quarters of an hour 400 days, days for ever. */
const readingDaysDefault = 7;
const quarterDays = 400;
/** A longer prune reports its progress at this interval. */
const progressPauseMs = 2_000;

/** `heliograph prune`: deletes old rows of the ledgers, old roll-ups and old notifications after showing them and asking. */
export const prune: Command = {
  name: 'prune',
  usage:
    '--older-than DAYSd [--notifications-older-than DAYSd] [--gateway-readings-older-than DAYSd] [--dry-run|--yes] [--json]',
  flags: ['older-than', 'notifications-older-than', 'gateway-readings-older-than'],
  switches: ['dry-run', 'yes'],
  async run(context) {
    const wish = readWish(context);
    await withDatabase(context.config(), (db) =>
      onPruneSession(db, async (session) => {
        try {
          await pruneOn(session, context, wish);
        } finally {
          await dropPlan(session);
        }
      }),
    ).catch((error: unknown) => {
      throw refusal(error);
    });
  },
};

interface Wish {
  days: number;
  /** Of notifications, messages, deliveries and closed problems. */
  notificationDays: number;
  /** Of readings of gateways. */
  readingDays: number;
  isDryRun: boolean;
}

async function pruneOn(
  session: Kysely<Database>,
  context: CommandContext,
  { days, notificationDays, readingDays, isDryRun }: Wish,
): Promise<void> {
  const at = new Date();
  const lineOf = (ageDays: number) =>
    // Whole days in UTC, so that a confirmation a minute later deletes what was shown.
    Math.floor((at.getTime() - ageDays * dayMs) / dayMs) * dayMs;
  // What is not rolled up yet stays.
  const rolledUntilMs = (await findRolledUntil(session)) ?? -Infinity;
  const readingLineMs = Math.min(lineOf(readingDays), Math.floor(rolledUntilMs / dayMs) * dayMs);
  const readings = Number.isFinite(readingLineMs)
    ? await planPrune(session, gatewayLedger, readingLineMs)
    : null;
  const quarters = await listOldQuarters(session, lineOf(quarterDays));
  const gateways = { readings, quarters };
  const plan = await planPrune(session, plantLedger, lineOf(days));
  const told = await planNotifications(session, lineOf(notificationDays), at.getTime());
  const json = { ...planJson(plan, told), gateways: gatewaysJson(gateways) };
  if (!context.json)
    context.io.stdout.write(
      planText(plan, context.io) + gatewaysText(gateways, context.io) + notificationsText(told),
    );
  const isNothing =
    isEmpty(plan) &&
    toldRowsOf(told) === 0 &&
    (readings === null || isEmpty(readings)) &&
    quarters.length === 0;
  if (isDryRun || isNothing) {
    if (context.json) writeJson(context.io, { ...json, pruned: null });
    return;
  }
  await agree(context, statementOf(plan, told, gateways));
  const by = terminalDecider();
  const pruned = isEmpty(plan)
    ? { rows: 0, partitions: [] }
    : await pruneLedger(session, plan, { by, at, olderThanDays: days }, progressTo(context));
  if (readings !== null && !isEmpty(readings)) {
    // One plan at a time is kept: it is made again for the same line.
    const again = await planPrune(session, gatewayLedger, readings.lineMs);
    const decision = { by, at, olderThanDays: readingDays };
    await pruneLedger(session, again, decision, progressTo(context));
  }
  await dropQuarters(session, quarters);
  const notifications =
    toldRowsOf(told) === 0
      ? told.remove
      : await pruneNotifications(session, told, { by, at, olderThanDays: notificationDays });
  print(context, { ...json, pruned: { ...pruned, notifications } }, () =>
    [
      isEmpty(plan)
        ? ''
        : `${counted(pruned.rows, 'row')} deleted, ${counted(pruned.partitions.length, 'partition')} dropped; the ledger begins at ${isoOf(plan)}\n`,
      toldRowsOf(told) === 0
        ? ''
        : `${toldWords(notifications)} deleted; who was told is known from ${isoOf(told)}\n`,
      readings === null || isEmpty(readings)
        ? ''
        : `${counted(rowsOf(readings), 'reading')} of gateways deleted; their ledger begins at ${isoOf(readings)}\n`,
      quarters.length === 0
        ? ''
        : `${counted(quarters.length, 'month')} of roll-ups of 15 minutes dropped\n`,
    ].join(''),
  );
}

interface GatewaysPlan {
  /** null: no quarter is rolled up yet, so nothing may go. */
  readings: PrunePlan | null;
  quarters: readonly OldQuarters[];
}

function gatewaysJson({ readings, quarters }: GatewaysPlan): object {
  return {
    readings:
      readings === null
        ? null
        : { before: isoOf(readings), rows: rowsOf(readings), months: readings.months },
    rollups_15min: quarters,
  };
}

function gatewaysText({ readings, quarters }: GatewaysPlan, io: CommandIo): string {
  const rows =
    readings === null || isEmpty(readings) ? '' : `readings of gateways ${planText(readings, io)}`;
  const months = quarters.map(
    ({ table }) => `${table} is dropped: older than ${quarterDays} days\n`,
  );
  return rows + months.join('');
}

function statementOf(
  plan: PrunePlan,
  told: NotificationsPlan,
  { readings, quarters }: GatewaysPlan,
): string {
  const readingRows = readings === null ? 0 : rowsOf(readings);
  const others = toldRowsOf(told) + readingRows + quarters.length;
  const parts = [
    ...(readingRows > 0 && readings !== null
      ? [`${counted(readingRows, 'reading')} of gateways before ${isoOf(readings)}`]
      : []),
    ...(quarters.length > 0 ? [`${counted(quarters.length, 'month')} of their roll-ups`] : []),
    ...(rowsOf(plan) > 0 || others === 0
      ? [`${counted(rowsOf(plan), 'row')} before ${isoOf(plan)}`]
      : []),
    ...(toldRowsOf(told) > 0 ? [`${toldWords(told.remove)} before ${isoOf(told)}`] : []),
  ];
  return `${parts.join(' and ')} will be deleted for good`;
}

/** Errors of a prune as sentences for people. */
function refusal(error: unknown): unknown {
  if (error instanceof PruneRunsError)
    return new CommandError('another `heliograph prune` is running', exitCodes.failed);
  if (error instanceof LedgerInUseError)
    return new CommandError(
      `${error.message}, so its month could not be taken away (is that \`heliograph audit\`?): run this again; finished work stays done`,
      exitCodes.failed,
      { cause: error },
    );
  return error;
}

function readWish(context: CommandContext): Wish {
  noPositionals(context, 'the command prunes the ledger of the whole fleet: name no plant');
  const days = requireFlag(context, 'older-than', (text) => readDays(text));
  const notificationDays =
    readFlag(context, 'notifications-older-than', (text) => readDays(text)) ?? days;
  const readingDays =
    readFlag(context, 'gateway-readings-older-than', (text) => readDays(text, 1)) ??
    readingDaysDefault;
  const isDryRun = context.switches.has('dry-run');
  const isAgreed = context.switches.has('yes');
  if (isDryRun && isAgreed)
    throw usageError(
      context,
      '--dry-run changes nothing and --yes agrees to changes: give only one',
    );
  if (context.json && !isDryRun && !isAgreed)
    throw usageError(context, '--json does not ask: add --dry-run or --yes');
  return { days, notificationDays, readingDays, isDryRun };
}

function readDays(text: string, min: number = olderThanDaysMin): number {
  const days = /^\d+d$/.test(text) ? Number(text.slice(0, -1)) : NaN;
  if (!(days <= olderThanDaysMax)) throw new FieldProblem('must be a number of days, such as 90d');
  if (days < min)
    throw new FieldProblem(
      min === olderThanDaysMin
        ? `must be at least ${min}d: closings, estimates and the audit read the ledger that far back`
        : `must be at least ${min}d`,
    );
  return days;
}

function rowsOf({ months }: PrunePlan): number {
  return months.reduce((sum, { rows }) => sum + rows, 0);
}

function isEmpty({ months }: PrunePlan): boolean {
  return months.every(({ way, rows }) => way === 'DELETE' && rows === 0);
}

function toldRowsOf({ remove }: NotificationsPlan): number {
  return Object.values(remove).reduce((sum: number, rows: number) => sum + rows, 0);
}

/** "12 notifications, 9 messages with 18 deliveries, 1 problem". */
function toldWords({ notifications, messages, deliveries, problems }: NotificationCounts): string {
  const sent = `${counted(messages, 'message')} with ${counted(deliveries, 'delivery', 'deliveries')}`;
  return [
    counted(notifications, 'notification'),
    sent,
    ...(problems > 0 ? [counted(problems, 'closed problem')] : []),
  ].join(', ');
}

function notificationsText(told: NotificationsPlan): string {
  const { stay } = told;
  const kept =
    stay.messages + stay.notifications === 0
      ? ''
      : `${counted(stay.notifications, 'notification')} and ${counted(stay.messages, 'message')} that are older stay, because they wait or what they tell is still open\n`;
  return toldRowsOf(told) === 0
    ? `no notification that may go is older than ${isoOf(told)}\n${kept}`
    : `${toldWords(told.remove)} are older than ${isoOf(told)}\n${kept}`;
}

function isoOf({ lineMs }: { lineMs: number }): string {
  return new Date(lineMs).toISOString();
}

function planJson(plan: PrunePlan, told: NotificationsPlan): object {
  return {
    before: isoOf(plan),
    rows: rowsOf(plan),
    bytes: plan.months.reduce((sum, { bytes }) => sum + bytes, 0),
    months: plan.months,
    notifications: { before: isoOf(told), ...told.remove, stay: told.stay },
  };
}

function planText(plan: PrunePlan, io: CommandIo): string {
  const { months } = plan;
  if (months.length === 0) return `nothing in the ledger is older than ${isoOf(plan)}\n`;
  const table = tableText(
    ['MONTH', ...right('ROWS', 'STAY', 'SPACE'), 'HOW'],
    months.map((month) => [
      month.month,
      month.rows.toLocaleString('en'),
      month.stay.toLocaleString('en'),
      spaceText(month.bytes),
      howText(month),
    ]),
    outputWidth(io) - 2,
  );
  const stay = months.some((month) => month.stay > 0)
    ? "rows that stay are each plant's newest ones and others that are still needed\n"
    : '';
  return `older than ${isoOf(plan)}\n${indented(table)}${stay}`;
}

function howText({ way, table }: OldMonth): string {
  return way === 'DROP' ? `${table} is dropped` : `deleted from ${table}`;
}

/** Reports progress at most every two seconds; a quicker prune reports none. */
function progressTo({ io, json }: CommandContext): (progress: PruneProgress) => void {
  let toldAt = performance.now();
  return ({ rowsDone, rowsTotal }) => {
    if (json || performance.now() - toldAt < progressPauseMs) return;
    toldAt = performance.now();
    io.stderr.write(
      `${rowsDone.toLocaleString('en')} of ${rowsTotal.toLocaleString('en')} rows deleted\n`,
    );
  };
}
