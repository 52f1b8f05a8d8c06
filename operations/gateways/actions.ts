import type { Kysely } from 'kysely';

import { type Ack, type Acked, acknowledge, silence as silenceSubjects } from '../../db/alerts.ts';
import { type Decider, type Decision, recordDecisions } from '../../db/audit-log.ts';
import { endAlerts, gatewayOfAlert, gatewaySubjects } from '../../db/gateways/alerts.ts';
import {
  findTaken,
  type GatewayEntry,
  type GatewayRow,
  insertGateways,
  loadDrafts,
  lockGateways,
  markRemoved,
  setActive,
  updateGateways,
} from '../../db/gateways/gateways.ts';
import { findOpenHalt } from '../../db/halts.ts';
import { setDisabled } from '../../db/gateways/periods.ts';
import {
  type Answer,
  type ReadArguments,
  requestPoll,
  requestRead,
  waitForAnswer,
} from '../../db/gateways/requests.ts';
import type { PlantScope } from '../../db/scope.ts';
import { codeOf } from '../../db/service-error.ts';
import type { Database } from '../../db/tables.ts';
import { gatewayJson } from '../../domain/gateways/definition.ts';
import type { Problem } from '../../domain/gateways/fields.ts';
import type { GatewayDraft } from '../../domain/gateways/gateway.ts';
import { pointsOfGateway, type Preset } from '../../domain/gateways/preset.ts';
import { sharedBudgets, validateGateway } from '../../domain/gateways/validate.ts';

/**
 * What people do with gateways, over HTTP or at a terminal. An action writes the rows, the periods and the audit log in one
 * transaction, by which walkers hear of it, and returns its result as a value.
 */

/** The person who acts, when, and on which gateways this person may act. */
export interface GatewayAct {
  db: Kysely<Database>;
  by: Decider;
  at: Date;
  /** A gateway outside of it is unknown. */
  scope: PlantScope;
}

export type Presets = ReadonlyMap<string, Preset>;

/** What is wrong with one of several definitions. */
export interface EntryProblem extends Problem {
  /** Which one, from 0; null: several of them together. */
  index: number | null;
}

/** Why something was not done. */
export type GatewayRefusal =
  | { refusal: 'UNKNOWN_GATEWAY'; gatewayId: string }
  | { refusal: 'REMOVED'; gatewayId: string; removedAt: Date }
  /** Nothing was written. */
  | { refusal: 'NOT_VALID'; problems: EntryProblem[] }
  /** Another person changed the gateway after this person read it. */
  | { refusal: 'CHANGED_MEANWHILE'; gatewayId: string; revision: number }
  | { refusal: 'UNKNOWN_ALERT'; alertId: number }
  | { refusal: 'ALERT_RESOLVED'; alertId: number }
  /** People paused it: nothing is sent to it. */
  | { refusal: 'PAUSED'; gatewayId: string }
  /** The emergency stop is on. */
  | { refusal: 'HALTED'; gatewayId: string; since: Date; by: string }
  /** No worker answered in time. */
  | { refusal: 'NO_ANSWER'; gatewayId: string; timeoutMs: number };

/** The result of a decision about gateways. */
export interface GatewaysDecided {
  /** The gateways that changed. */
  gatewayIds: string[];
  /** Those that were so already. */
  unchangedIds: string[];
  /** What was not done, and why; at most one for each gateway. */
  refused: GatewayRefusal[];
}

/** Definitions that were written, or would be. */
export interface GatewaysAdded {
  gatewayIds: string[];
  warnings: EntryProblem[];
}

/** Adds all of the gateways or none. `dryRun`: finds the problems and writes nothing. */
export async function addGateways(
  act: GatewayAct,
  drafts: readonly GatewayDraft[],
  { presets, dryRun = false }: { presets: Presets; dryRun?: boolean },
): Promise<GatewaysAdded | GatewayRefusal> {
  const { problems, warnings } = judge(drafts, presets);
  problems.push(...(await findConflicts(act, drafts)));
  if (problems.length > 0) return { refusal: 'NOT_VALID', problems: sorted(problems) };
  const gatewayIds = drafts.map(({ id }) => id);
  if (dryRun) return { gatewayIds, warnings };
  const entries = entriesOf(drafts, presets);
  try {
    await act.db.transaction().execute(async (trx) => {
      await insertGateways(trx, entries, act.at.getTime());
      const decisions = drafts.map((draft) =>
        decision('gateway.add', draft.id, null, gatewayJson(draft)),
      );
      await recordDecisions(trx, decisions, act.by, act.at);
    });
  } catch (error) {
    // Somebody else added one of them, or removed its plant, since the conflicts were looked for.
    if (!constraintCodes.has(codeOf(error) ?? '')) throw error;
    return { refusal: 'NOT_VALID', problems: sorted(await findConflicts(act, drafts)) };
  }
  return { gatewayIds, warnings };
}

/** SQLSTATE of a key that exists already, and of a reference to nothing. */
const constraintCodes: ReadonlySet<string> = new Set(['23505', '23503']);

const entriesOf = (drafts: readonly GatewayDraft[], presets: Presets): GatewayEntry[] =>
  drafts.map((draft) => ({ draft, points: pointsOfGateway(draft, presets) }));

/** What would not work, and what may work otherwise than people think. */
function judge(drafts: readonly GatewayDraft[], presets: Presets) {
  const problems: EntryProblem[] = [];
  const warnings: EntryProblem[] = [];
  for (const [index, draft] of drafts.entries()) {
    const found = validateGateway(draft, { presets });
    problems.push(...found.problems.map((problem) => ({ ...problem, index })));
    warnings.push(...found.warnings.map((problem) => ({ ...problem, index })));
  }
  warnings.push(...sharedBudgets(drafts, { presets }).map((one) => ({ ...one, index: null })));
  return { problems, warnings };
}

/** What of the definitions does not go with each other, or with what is in the database. */
async function findConflicts(
  { db, scope }: GatewayAct,
  drafts: readonly GatewayDraft[],
): Promise<EntryProblem[]> {
  const plantIds = [...new Set(drafts.flatMap(({ plantId }) => plantId ?? []))];
  const found = await findTaken(db, scope, { ids: drafts.map(({ id }) => id), plantIds });
  const firsts = new Map<string, number>();
  return drafts.flatMap(({ id, plantId }, index): EntryProblem[] => {
    const problems: EntryProblem[] = [];
    const first = firsts.get(id);
    firsts.set(id, first ?? index);
    const taken = found.takenIds.get(id);
    if (first !== undefined)
      problems.push(
        wrong(index, 'id', `${id} is given twice: each gateway needs an id of its own`),
      );
    else if (taken !== undefined)
      problems.push(
        wrong(
          index,
          'id',
          `${id} ${taken.removed ? 'was the id of a removed gateway' : 'exists already'}: choose another id`,
        ),
      );
    if (plantId !== null && found.unknownPlantIds.has(plantId))
      problems.push(
        wrong(index, 'plant_id', `there is no plant ${plantId}: name one that exists, or none`),
      );
    return problems;
  });
}

function wrong(index: number, path: string, message: string): EntryProblem {
  return { index, path, message, code: path === 'id' ? 'id_taken' : 'plant_unknown' };
}

const sorted = (problems: readonly EntryProblem[]) =>
  problems.toSorted((a, b) => (a.index ?? Infinity) - (b.index ?? Infinity));

function decision(action: string, id: string, before: unknown, after: unknown): Decision {
  return { action, subjectType: 'GATEWAY', subjectId: id, before, after };
}

/** What people change of a gateway; units are given whole. */
export type GatewayChange = Partial<Omit<GatewayDraft, 'id'>>;

/** Changes the definition of a gateway. Its presets are read anew. @param ifRevision refuses if the gateway has another one. */
export async function changeGateway(
  act: GatewayAct,
  gatewayId: string,
  change: GatewayChange,
  { presets, ifRevision }: { presets: Presets; ifRevision?: number | undefined },
): Promise<GatewaysAdded | GatewayRefusal> {
  return act.db.transaction().execute(async (trx): Promise<GatewaysAdded | GatewayRefusal> => {
    const [row] = await lockGateways(trx, act.scope, [gatewayId]);
    const refusal = refuse(gatewayId, row);
    if (refusal !== null || row === undefined) return refusal ?? unknown(gatewayId);
    if (ifRevision !== undefined && row.revision !== ifRevision)
      return { refusal: 'CHANGED_MEANWHILE', gatewayId, revision: row.revision };
    const [before] = await loadDrafts(trx, [gatewayId]);
    if (before === undefined) return unknown(gatewayId);
    const after = { ...before, ...change };
    const { problems, warnings } = judge([after], presets);
    if (after.plantId !== null && after.plantId !== before.plantId) {
      const found = await findTaken(trx, act.scope, { ids: [], plantIds: [after.plantId] });
      if (found.unknownPlantIds.size > 0)
        problems.push(
          wrong(0, 'plant_id', `there is no plant ${after.plantId}: name one that exists, or none`),
        );
    }
    if (problems.length > 0) return { refusal: 'NOT_VALID', problems };
    await updateGateways(trx, entriesOf([after], presets), act.at.getTime());
    const changed = changesOf(gatewayJson(before), gatewayJson(after));
    if (changed !== null)
      await recordDecisions(
        trx,
        [decision('gateway.set', gatewayId, changed.before, changed.after)],
        act.by,
        act.at,
      );
    return { gatewayIds: [gatewayId], warnings };
  });
}

/** The fields that differ; null: none. */
function changesOf(before: Record<string, unknown>, after: Record<string, unknown>) {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]),
  );
  if (keys.length === 0) return null;
  const pick = (from: Record<string, unknown>) =>
    Object.fromEntries(keys.map((key) => [key, from[key] ?? null]));
  return { before: pick(before), after: pick(after) };
}

const unknown = (gatewayId: string): GatewayRefusal => ({ refusal: 'UNKNOWN_GATEWAY', gatewayId });

function refuse(gatewayId: string, row: GatewayRow | undefined): GatewayRefusal | null {
  if (row === undefined) return unknown(gatewayId);
  if (row.removed_at !== null) return { refusal: 'REMOVED', gatewayId, removedAt: row.removed_at };
  return null;
}

/** One decision about many gateways, under their locks. */
interface ManyDecision {
  action: string;
  /** Whether the gateway changes. */
  changes: (row: GatewayRow) => boolean;
  /** What the audit log shows of it. */
  shown: (row: GatewayRow) => { before: unknown; after: unknown };
  write: (trx: Kysely<Database>, ids: readonly string[]) => Promise<void>;
}

async function decideMany(
  act: GatewayAct,
  ids: readonly string[],
  { action, changes, shown, write }: ManyDecision,
): Promise<GatewaysDecided> {
  return act.db.transaction().execute(async (trx) => {
    const rows = new Map((await lockGateways(trx, act.scope, ids)).map((row) => [row.id, row]));
    const wanted = [...new Set(ids)];
    const refused = wanted.flatMap((id) => refuse(id, rows.get(id)) ?? []);
    const possible = [...rows.values()].filter(({ removed_at }) => removed_at === null);
    const changed = possible.filter(changes);
    const gatewayIds = changed.map(({ id }) => id);
    if (gatewayIds.length > 0) await write(trx, gatewayIds);
    const decisions = changed.map((row) => {
      const { before, after } = shown(row);
      return decision(action, row.id, before, after);
    });
    await recordDecisions(trx, decisions, act.by, act.at);
    const unchangedIds = possible.filter((row) => !changes(row)).map(({ id }) => id);
    return { gatewayIds, unchangedIds, refused };
  });
}

/** Pauses gateways until a person resumes them. */
export async function pauseGateways(
  act: GatewayAct,
  ids: readonly string[],
  reason: string | null,
): Promise<GatewaysDecided> {
  return decideMany(act, ids, {
    action: 'gateway.pause',
    changes: (row) => row.is_active,
    shown: () => ({ before: { is_active: true }, after: { is_active: false, reason } }),
    write: (trx, active) => setActive(trx, active, { isActive: false, reason }, act.at.getTime()),
  });
}

/** Polls gateways again that people paused or that were disabled by their failures, at once. */
export async function resumeGateways(
  act: GatewayAct,
  ids: readonly string[],
): Promise<GatewaysDecided> {
  const atMs = act.at.getTime();
  return decideMany(act, ids, {
    action: 'gateway.resume',
    changes: (row) => !row.is_active || row.disabled_at !== null,
    shown: ({ is_active, pause_reason, disabled_at }) => ({
      before: { is_active, pause_reason, disabled_at },
      after: { is_active: true, disabled_at: null },
    }),
    write: async (trx, held) => {
      await setDisabled(trx, held, { disabledAtMs: null, nowMs: atMs });
      await setActive(trx, held, { isActive: true, reason: null }, atMs);
    },
  });
}

/** Removes gateways: they are polled no more, their alerts end, their readings stay as long as those of others. */
export async function removeGateways(
  act: GatewayAct,
  ids: readonly string[],
): Promise<GatewaysDecided> {
  const nowMs = act.at.getTime();
  return decideMany(act, ids, {
    action: 'gateway.remove',
    changes: () => true,
    shown: () => ({ before: null, after: { removed_at: act.at.toISOString() } }),
    write: async (trx, gone) => {
      await endAlerts(trx, gone, { reason: 'the gateway was removed', nowMs });
      await markRemoved(trx, gone, nowMs);
    },
  });
}

/** Silences alerts of gateways: they exist, and are not announced until a time. `until` null ends the silence. */
export async function silenceGateways(
  act: GatewayAct,
  ids: readonly string[],
  how: { until: Date | null; reason: string | null },
): Promise<GatewaysDecided> {
  const rows = await lockGateways(act.db, act.scope, ids);
  const byId = new Map(rows.map((row) => [row.id, row]));
  const refused = ids.flatMap((id) => refuse(id, byId.get(id)) ?? []);
  const possible = rows.flatMap(({ id, removed_at }) => (removed_at === null ? [id] : []));
  const gatewayIds = await silenceSubjects(act.db, { ...gatewaySubjects, ids: possible }, how, act);
  return { gatewayIds, unchangedIds: [], refused };
}

/** Records that a person has seen an active alert of a gateway. */
export async function acknowledgeAlert(
  act: GatewayAct,
  alertId: number,
  ack: Ack,
): Promise<{ gatewayId: string; alert: Acked } | GatewayRefusal> {
  return act.db.transaction().execute(async (trx) => {
    const found = await gatewayOfAlert(trx, alertId);
    // The lock of its subject comes first, as where alerts are judged.
    const [row] = found === undefined ? [] : await lockGateways(trx, act.scope, [found]);
    if (row === undefined) return { refusal: 'UNKNOWN_ALERT', alertId };
    const result = await acknowledge(trx, alertId, ack, act);
    return result.kind === 'RESOLVED'
      ? { refusal: 'ALERT_RESOLVED', alertId }
      : { gatewayId: row.id, alert: result.alert };
  });
}

/** Polls a gateway now, through its walker, and waits for the answer. */
export async function pollGateway(
  act: GatewayAct,
  gatewayId: string,
  timeoutMs: number,
): Promise<{ answer: Answer } | GatewayRefusal> {
  return ask(act, gatewayId, timeoutMs, (by) => requestPoll(act.db, { gatewayId, by }));
}

/** Reads registers of a gateway, through its walker, so that no second connection is opened. */
export async function readRegisters(
  act: GatewayAct,
  gatewayId: string,
  read: ReadArguments,
  timeoutMs: number,
): Promise<{ answer: Answer } | GatewayRefusal> {
  return ask(act, gatewayId, timeoutMs, (by) => requestRead(act.db, { gatewayId, by, ...read }));
}

async function ask(
  { db, scope, by }: GatewayAct,
  gatewayId: string,
  timeoutMs: number,
  request: (by: string) => Promise<number>,
): Promise<{ answer: Answer } | GatewayRefusal> {
  const [row] = await lockGateways(db, scope, [gatewayId]);
  const refusal = refuse(gatewayId, row);
  if (refusal !== null) return refusal;
  if (row?.is_active === false) return { refusal: 'PAUSED', gatewayId };
  const halt = await findOpenHalt(db);
  if (halt !== null) return { refusal: 'HALTED', gatewayId, since: halt.fromAt, by: halt.by };
  const answer = await waitForAnswer(db, await request(by.actor), timeoutMs);
  return answer === null ? { refusal: 'NO_ANSWER', gatewayId, timeoutMs } : { answer };
}
