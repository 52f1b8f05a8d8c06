import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { Locks } from '../../../db/lock.ts';
import type { Database } from '../../../db/tables.ts';
import { counted } from '../../../domain/wording.ts';
import { CommandError, type Config, exitCodes } from '../../../environment/config.ts';
import { openLocks } from '../../../environment/locks.ts';
import { withDatabase } from '../../../environment/services.ts';
import { withTemporal } from '../../../environment/temporal.ts';
import {
  audit as runAudit,
  type AuditReport,
  type ViolationKind,
} from '../../../operations/plants/check.ts';
import { planRepairs, repair, type Repair } from '../../../operations/plants/repair.ts';
import { instant, noPositionals, readFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { print, visibleText, writeJson } from '../../render.ts';
import { factsText, indented } from '../../table.ts';
import { agree } from '../plants/selected-plants.ts';
import { groupedText } from './findings.ts';

/** `heliograph audit`: checks the invariants and, with `--fix`, repairs loops and locks. */
export const audit: Command = {
  name: 'audit',
  usage: '[--from TIME] [--to TIME] [--fix [--yes]] [--json]',
  flags: ['from', 'to'],
  switches: ['fix', 'yes'],
  async run(context) {
    const window = readWindow(context, Date.now());
    if (context.switches.has('fix')) return fix(context, window);
    const report = await onServices(context.config(), (services) =>
      runAudit({ ...services, ...window }),
    );
    print(context, report, () => auditText(report));
    return report.violations.length === 0 ? exitCodes.done : exitCodes.failed;
  },
};

interface Window {
  fromMs?: number;
  toMs?: number;
}

function readWindow(context: CommandContext, nowMs: number): Window {
  noPositionals(context, 'the command checks the whole fleet: name no plant');
  const fromMs = readFlag(context, 'from', instant)?.getTime();
  const toMs = readFlag(context, 'to', instant)?.getTime();
  if (fromMs !== undefined && fromMs >= Math.min(toMs ?? nowMs, nowMs)) {
    throw usageError(context, '--from must lie before --to, and in the past');
  }
  return {
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs: Math.min(toMs, nowMs) }),
  };
}

interface Services {
  db: Kysely<Database>;
  client: Client;
  locks: Pick<Locks, 'list' | 'remove'>;
}

async function onServices<Result>(
  config: Config,
  run: (services: Services) => Promise<Result>,
): Promise<Result> {
  return withDatabase(config, (db) =>
    withTemporal(config, async (client) => {
      const { list, remove, close } = openLocks(config, () => {});
      const away = (cause: unknown) => redisAway(config, cause);
      const locks: Services['locks'] = {
        list: () => list().catch(away),
        remove: (plantId, owner) => remove(plantId, owner).catch(away),
      };
      try {
        return await run({ db, client, locks });
      } finally {
        close();
      }
    }),
  );
}

/** Time for loops to end or to look again after a repair, before the audit runs again. */
const settleMsMax = 10_000;
const settlePauseMs = 500;

/** `--fix`: shows the report and the repairs, asks, repairs, and shows the report again. */
async function fix(context: CommandContext, window: Window): Promise<number> {
  if (context.json && !context.switches.has('yes'))
    throw usageError(context, '--fix --json does not ask: add --yes');
  return onServices(context.config(), async (services) => {
    const before = await runAudit({ ...services, ...window });
    const repairs = await planRepairs(services);
    if (!context.json) context.io.stdout.write(`${auditText(before)}\n${repairsText(repairs)}`);
    if (repairs.length > 0)
      await agree(context, `${counted(repairs.length, 'repair')} will be made`);
    const repaired =
      repairs.length === 0 ? { done: 0, needless: 0 } : await repair(repairs, services);
    const remaining = repairs.length === 0 ? [] : await untilRepaired(services);
    const after = repairs.length === 0 ? before : await runAudit({ ...services, ...window });
    if (context.json) writeJson(context.io, { before, repairs, repaired, remaining, after });
    else if (repairs.length > 0) {
      const waiting =
        remaining.length === 0
          ? ''
          : `not effective yet, because a worker must run:\n${indented(remaining.map(({ sentence }) => `${visibleText(sentence)}\n`).join(''))}`;
      context.io.stdout.write(
        `\n${counted(repaired.done, 'repair')} made, ${repaired.needless} no longer needed\n${waiting}\n${auditText(after)}`,
      );
    }
    return after.violations.length === 0 ? exitCodes.done : exitCodes.failed;
  });
}

/** @returns the repairs that are still needed when the time is up. */
async function untilRepaired(services: Services): Promise<Repair[]> {
  const endsAt = performance.now() + settleMsMax;
  for (;;) {
    const wanted = await planRepairs(services);
    if (wanted.length === 0 || performance.now() > endsAt) return wanted;
    await sleep(settlePauseMs);
  }
}

function repairsText(repairs: readonly Repair[]): string {
  if (repairs.length === 0) return 'there is nothing to repair here\n';
  const lines = repairs.map(({ sentence }) => `${visibleText(sentence)}\n`);
  return `repairs, which do not change ledger, days or alerts:\n${indented(lines.join(''))}`;
}

function redisAway({ REDIS_URL: url }: Config, cause: unknown): never {
  const host = url === undefined ? '' : new URL(url).host;
  throw new CommandError(
    `Redis at ${host} cannot be reached, and it holds the locks: is it running, and is REDIS_URL right?`,
    exitCodes.serviceAway,
    { cause },
  );
}

/** The remedy for each kind of violation. */
const whatToDo: Readonly<Record<ViolationKind, string>> = {
  SLOT_MISSING:
    "if the loop does not answer, start a worker for its queue; if it answers, an overloaded worker may be behind, and a later audit shows it; else see the loop's history of that time in the Temporal Web UI.",
  SLOT_DOUBLED:
    'only rows written by hand or without the primary key can be doubled: look at poll_logs of that plant and time.',
  LEDGER_KEY_MISSING:
    'delete the second rows, then restore the primary key of poll_logs as in db/migrations.',
  POLL_WITHOUT_ROW:
    "the row was deleted, or the poll was cut off after its alert step: see the loop's history of that time.",
  ROW_OFF_GRID:
    'compare plant_periods with the workflow_id and run_id of the row: the poll used another grid than the one in force.',
  ROW_OUTSIDE_PERIOD:
    'compare plant_periods with the workflow_id and run_id of the row: the poll ran while the plant was not due.',
  POLLS_OVERLAP:
    'compare the run_id of the two rows: two loops, or a loop and another program, polled at the same time.',
  DAY_UNLIKE_LEDGER:
    "the day was changed by something other than a poll; the closing corrects it from the vendor's series.",
  ALERT_DOUBLED: 'resolve all but the oldest by hand, then restore the unique index.',
  ALERT_INDEX_MISSING: 'restore `alerts_one_active` as in db/migrations.',
  ALERT_EVENTS_BROKEN:
    'alerts or their events were changed by something other than the loop and the commands.',
  ALERT_UNLIKE_EVENTS:
    'the alert was changed without an event: only the loop and the commands may change alerts.',
  LOOP_MISSING:
    'a running worker starts it within a minute; if it does not, see fleet:reconcile in the Temporal Web UI.',
  LOOP_UNKNOWN:
    'a running worker ends the loop of a deleted plant within a minute; one with another workflow id was started by hand: terminate it.',
  LOCK_WITHOUT_TTL: 'another program wrote the key: delete it.',
  LOCK_UNKNOWN_OWNER: 'a second cluster or namespace polls the same plants: stop one of them.',
};

/** The report for people: the checks, then the violations by kind, each kind with its remedy. */
export function auditText(report: AuditReport): string {
  return [
    `checked ${report.checked_from} to ${report.checked_to}\n`,
    indented(checkedText(report.counts)),
    '\n',
    violationsText(report),
  ].join('');
}

function checkedText(counts: AuditReport['counts']): string {
  const faults = counts.doubled + counts.strays + counts.overlapping;
  const rows: [what: string, count: number, more: string][] = [
    [
      'slots due',
      counts.slots_due,
      `${counts.polled} polled, ${counts.skipped} skipped, ${counts.missed} missed, ${counts.pending} pending, ${counts.lost} lost`,
    ],
    ['polls between slots', counts.unscheduled, 'requested by people, or the first after a start'],
    [
      'rows at fault',
      faults,
      `${counts.doubled} doubled, ${counts.strays} where nothing was due, ${counts.overlapping} overlapping`,
    ],
    ['live days', counts.days, 'compared with their polls'],
    ['alerts', counts.alerts, `with ${counted(counts.alert_events, 'event')}`],
    ['plants', counts.plants, `with ${counted(counts.loops, 'loop')}`],
    ['locks', counts.locks, 'held'],
  ];
  const countWidth = Math.max(...rows.map(([, count]) => String(count).length));
  return factsText(
    rows.map(([what, count, more]) => [what, `${String(count).padStart(countWidth)}  ${more}`]),
  );
}

function violationsText({ violations, truncated }: AuditReport): string {
  if (violations.length === 0) return 'nothing is violated\n';
  const more = truncated ? ' listed, and there are more' : '';
  const groups = violations.map(({ kind, plant_id: plantId, at, sentence }) => ({
    kind,
    about: [plantId, at],
    sentence,
    advice: whatToDo[kind],
  }));
  return `${counted(violations.length, 'violation')}${more}\n${groupedText(groups)}`;
}
