import { setTimeout as sleep } from 'node:timers/promises';

import type { Locks } from '../../../db/lock.ts';
import { counted } from '../../../domain/wording.ts';
import { type Config, exitCodes } from '../../../environment/config.ts';
import {
  type AnyViolationKind,
  auditAll as runAudit,
  type WholeAudit,
} from '../../../operations/checks.ts';
import { planRepairs, repair, type Repair } from '../../../operations/plants/repair.ts';
import { instant, noPositionals, readFlag } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { print, visibleText, writeJson } from '../../render.ts';
import { factsText, indented } from '../../table.ts';
import { agree } from '../plants/selected-plants.ts';
import { groupedText } from './findings.ts';
import type { PollingTargets } from './polling-targets.ts';
import { isEmpty } from './polling-targets.ts';
import { listProcesses } from './processes.ts';
import { withSystem } from './services.ts';

/** `heliograph audit`: checks the invariants and, with `--fix`, repairs loops and locks. */
export const audit: Command = {
  name: 'audit',
  usage: '[--from TIME] [--to TIME] [--fix [--yes]] [--processes] [--json]',
  flags: ['from', 'to'],
  switches: ['fix', 'yes', 'processes'],
  async run(context) {
    const window = readWindow(context, Date.now());
    if (context.switches.has('processes')) return listProcesses(context);
    if (context.switches.has('fix')) return fix(context, window);
    return auditTargets(context, { gatewayIds: [], plantIds: [] });
  },
};

/**
 * Checks the invariants, and shows what is violated.
 *
 * @param targets shows only violations of these; none: all.
 * @returns the exit code.
 */
export async function auditTargets(
  context: CommandContext,
  targets: PollingTargets,
): Promise<number> {
  const window = readWindow(context, Date.now());
  const whole = await onServices(context.config(), (services) =>
    runAudit({ ...services, ...window }),
  );
  const { gatewayIds, plantIds } = targets;
  const violations = isEmpty(targets)
    ? whole.violations
    : whole.violations.filter(
        ({ plant_id: plantId, gateway_id: gatewayId }) =>
          plantIds.includes(plantId ?? '') || gatewayIds.includes(gatewayId ?? ''),
      );
  const report = { ...whole, violations };
  print(context, report, () => auditText(report));
  return violations.length === 0 ? exitCodes.done : exitCodes.failed;
}

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

type Services = Parameters<typeof runAudit>[0] & {
  locks: Pick<Locks, 'list' | 'remove'>;
};

async function onServices<Result>(
  config: Config,
  run: (services: Services) => Promise<Result>,
): Promise<Result> {
  return withSystem(config, ({ db, temporal, locks }) =>
    run({ db, client: temporal, locks: locks.plant, gatewayShards: config.GATEWAY_SHARDS }),
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

/** The remedy for each kind of violation. */
const whatToDo: Readonly<Record<AnyViolationKind, string>> = {
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
  PERIODS_BROKEN:
    'gateway_periods was changed by something other than the commands and the walkers: compare its rows of that gateway.',
  PERIOD_UNLIKE_GATEWAY:
    '`heliograph polling stop --gateway ID`, then `heliograph polling start --gateway ID` opens the right period.',
  LEASE_DOUBLED:
    'all workers of gateways must have the same GATEWAY_SHARDS: stop those that differ, and start them with the same number.',
  LOOP_MISSING:
    'a running worker starts it within a minute; if it does not, see fleet:reconcile in the Temporal Web UI.',
  LOOP_UNKNOWN:
    'a running worker ends the loop of a deleted plant within a minute; one with another workflow id was started by hand: terminate it.',
  LOCK_WITHOUT_TTL: 'another program wrote the key: delete it.',
  LOCK_UNKNOWN_OWNER: 'a second cluster or namespace polls the same plants: stop one of them.',
};

/** The report for people: the checks, then the violations by kind, each kind with its remedy. */
export function auditText(report: WholeAudit): string {
  return [
    `checked ${report.checked_from} to ${report.checked_to}\n`,
    indented(checkedText(report)),
    '\n',
    violationsText(report),
  ].join('');
}

function checkedText({ counts, gateways }: WholeAudit): string {
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
    ...gatewayRows(gateways),
  ];
  const countWidth = Math.max(...rows.map(([, count]) => String(count).length));
  return factsText(
    rows.map(([what, count, more]) => [what, `${String(count).padStart(countWidth)}  ${more}`]),
  );
}

/** Nothing where no gateway was ever due. */
function gatewayRows(gateways: WholeAudit['gateways']): [string, number, string][] {
  if (gateways.slots_due + gateways.alerts + gateways.strays === 0) return [];
  return [
    [
      'slots of gateways due',
      gateways.slots_due,
      `${gateways.polled} polled, ${gateways.skipped} skipped, ${gateways.missed} missed, ${gateways.pending} pending, ${gateways.lost} lost`,
    ],
    [
      'their rows at fault',
      gateways.doubled + gateways.strays + gateways.overlapping,
      `${gateways.doubled} doubled, ${gateways.strays} where nothing was due, ${gateways.overlapping} overlapping`,
    ],
    ['their alerts', gateways.alerts, `with ${counted(gateways.alert_events, 'event')}`],
  ];
}

function violationsText({ violations, truncated }: WholeAudit): string {
  if (violations.length === 0) return 'nothing is violated\n';
  const more = truncated ? ' listed, and there are more' : '';
  const groups = violations.map(
    ({ kind, plant_id: plantId, gateway_id: gatewayId, at, sentence }) => ({
      kind,
      about: [plantId ?? gatewayId, at],
      sentence,
      advice: whatToDo[kind],
    }),
  );
  return `${counted(violations.length, 'violation')}${more}\n${groupedText(groups)}`;
}
