import type { Kysely } from 'kysely';

import {
  type Ack,
  acknowledge as writeAck,
  type Acked,
  silence as writeSilence,
} from '../../db/alerts.ts';
import { type Decider, type Decision, recordDecisions } from '../../db/audit-log.ts';
import { gatewaySubjects } from '../../db/gateways/standing.ts';
import {
  type GatewayRow,
  insertGateways,
  loadDrafts,
  lockGateways,
  markRemoved,
  setActive,
  updateGateways,
} from '../../db/gateways/gateways.ts';
import { setDisabled } from '../../db/gateways/periods.ts';
import {
  type Answer,
  type PollAnswer,
  type ReadAnswer,
  type ReadArguments,
  requestPoll,
  requestRead,
  waitForAnswer,
} from '../../db/gateways/requests.ts';
import { query } from '../../db/database.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { Database } from '../../db/tables.ts';
import { gatewayJson } from '../../domain/gateways/definition.ts';
import type { Problem } from '../../domain/gateways/fields.ts';
import type { GatewayDraft } from '../../domain/gateways/gateway.ts';
import { pointsOfGateway, type Preset } from '../../domain/gateways/preset.ts';
import { validateGateway } from '../../domain/gateways/validate.ts';

/**
 * What people do with gateways, over HTTP or at a terminal. An action writes the rows, the periods and the audit log in one
 * transaction, and returns its result as a value. Walkers hear of it through the database.
 */

/** The person who acts, when, and on which gateways. */
export interface Act {
  db: Kysely<Database>;
  by: Decider;
  at: Date;
  /** A gateway outside of it is unknown. */
  scope: PlantScope;
}

/** Why something was not done. */
export type Refusal =
  | { refusal: 'UNKNOWN_GATEWAY'; gatewayId: string }
  | { refusal: 'UNKNOWN_ALERT'; alertId: number }
  | { refusal: 'ALERT_RESOLVED'; alertId: number }
  | { refusal: 'REMOVED'; gatewayId: string }
  | { refusal: 'PAUSED'; gatewayId: string }
  /** Another gateway has the id, or had it before it was removed. */
  | { refusal: 'TAKEN'; gatewayId: string }
  /** Another person changed the gateway after this person read it. */
  | { refusal: 'CHANGED_MEANWHILE'; revision: number }
  /** The definition cannot work; each problem with the path of its member. */
  | { refusal: 'INVALID'; gatewayId: string; problems: readonly Problem[] }
  /** No walker answered in time. */
  | { refusal: 'NO_ANSWER'; timeoutMs: number };

export type Presets = ReadonlyMap<string, Preset>;

/** The result of a decision about gateways. */
export interface Decided {
  /** The gateways for which it was written. */
  gatewayIds: string[];
  /** What was not done, and why; at most one refusal for each gateway. */
  refused: Refusal[];
}

/**
 * Adds gateways: all or none.
 *
 * @returns what was refused; empty when all were added.
 */
export async function addGateways(
  act: Act,
  drafts: readonly GatewayDraft[],
  presets: Presets,
): Promise<Refusal[]> {
  const invalid = drafts.flatMap((draft) => invalidOf(draft, presets));
  if (invalid.length > 0) return invalid;
  return act.db.transaction().execute(async (trx): Promise<Refusal[]> => {
    const ids = drafts.map(({ id }) => id);
    // Serializes additions of the same id: the second one sees the first.
    await query(trx)`select pg_advisory_xact_lock(hashtext('gateways'))`;
    const taken = await query(trx)<{ id: string }>`
      select id from gateways where id = any(${ids}::text[])`;
    const twice = ids.filter((id, index) => ids.indexOf(id) !== index);
    const unknownPlants = await findUnknownPlants(trx, drafts);
    const refused: Refusal[] = [
      ...[...taken.map(({ id }) => id), ...twice].map((gatewayId): Refusal => ({
        refusal: 'TAKEN',
        gatewayId,
      })),
      ...unknownPlants,
    ];
    if (refused.length > 0) return refused;
    const entries = drafts.map((draft) => ({ draft, points: pointsOfGateway(draft, presets) }));
    await insertGateways(trx, entries, act.at.getTime());
    await record(
      trx,
      act,
      drafts.map((draft) => ({
        action: 'gateway.add',
        gatewayId: draft.id,
        before: null,
        after: gatewayJson(draft),
      })),
    );
    return [];
  });
}

function invalidOf(draft: GatewayDraft, presets: Presets): Refusal[] {
  const { problems } = validateGateway(draft, { presets });
  return problems.length === 0 ? [] : [{ refusal: 'INVALID', gatewayId: draft.id, problems }];
}

async function findUnknownPlants(
  trx: Act['db'],
  drafts: readonly GatewayDraft[],
): Promise<Refusal[]> {
  const asked = drafts.flatMap(({ plantId }) => plantId ?? []);
  const found = await query(trx)<{ id: string }>`
    select id from plants where id = any(${asked}::text[]) and removed_at is null`;
  const known = new Set(found.map(({ id }) => id));
  return drafts.flatMap(({ id, plantId }): Refusal[] =>
    plantId === null || known.has(plantId)
      ? []
      : [
          {
            refusal: 'INVALID',
            gatewayId: id,
            problems: [
              { path: 'plant_id', message: `there is no plant ${plantId}`, code: 'field_invalid' },
            ],
          },
        ],
  );
}

/**
 * Changes the definition of a gateway; its interval, address and points are in force within a second.
 *
 * @param change gives the new definition from the present one.
 */
export async function changeGateway(
  act: Act,
  gatewayId: string,
  change: (draft: GatewayDraft) => GatewayDraft,
  { presets, ifRevision }: { presets: Presets; ifRevision?: number | undefined },
): Promise<{ gatewayId: string } | Refusal> {
  return act.db.transaction().execute(async (trx) => {
    const [row] = await lockGateways(trx, act.scope, [gatewayId]);
    const refusal = refusalOf(gatewayId, row);
    if (refusal !== null) return refusal;
    if (ifRevision !== undefined && row?.revision !== ifRevision)
      return { refusal: 'CHANGED_MEANWHILE', revision: row?.revision ?? 0 };
    const [before] = await loadDrafts(trx, [gatewayId]);
    if (before === undefined) return { refusal: 'UNKNOWN_GATEWAY', gatewayId };
    const draft = { ...change(before), id: gatewayId };
    const [invalid] = [...invalidOf(draft, presets), ...(await findUnknownPlants(trx, [draft]))];
    if (invalid !== undefined) return invalid;
    await updateGateways(
      trx,
      [{ draft, points: pointsOfGateway(draft, presets) }],
      act.at.getTime(),
    );
    await record(trx, act, [
      {
        action: 'gateway.set',
        gatewayId,
        before: gatewayJson(before),
        after: gatewayJson(draft),
      },
    ]);
    return { gatewayId };
  });
}

/** Pauses gateways until people resume them: nothing is sent to them, and no slot is due. */
export async function pause(
  act: Act,
  gatewayIds: readonly string[],
  { reason }: { reason: string | null },
): Promise<Decided> {
  return decide(act, 'gateway.pause', gatewayIds, async (trx, rows) => {
    const ids = rows.map(({ id }) => id);
    await setActive(trx, ids, { isActive: false, reason }, act.at.getTime());
    return ids;
  });
}

/** Ends the pause of gateways, and brings disabled ones back at once. */
export async function resume(act: Act, gatewayIds: readonly string[]): Promise<Decided> {
  return decide(act, 'gateway.resume', gatewayIds, async (trx, rows) => {
    const ids = rows.map(({ id }) => id);
    const nowMs = act.at.getTime();
    await setActive(trx, ids, { isActive: true, reason: null }, nowMs);
    const disabled = rows.flatMap(({ id, disabled_at: at }) => (at === null ? [] : [id]));
    if (disabled.length > 0) await setDisabled(trx, disabled, { disabledAtMs: null, nowMs });
    return ids;
  });
}

/** Removes gateways: nothing polls them and no list shows them; their readings stay until their time is over. */
export async function remove(act: Act, gatewayIds: readonly string[]): Promise<Decided> {
  return decide(act, 'gateway.remove', gatewayIds, async (trx, rows) => {
    const ids = rows.map(({ id }) => id);
    await markRemoved(trx, ids, act.at.getTime());
    return ids;
  });
}

/** Silences alerts of gateways until a time; `until` null ends the silence. */
export async function silence(
  act: Act,
  gatewayIds: readonly string[],
  how: { until: Date | null; reason: string | null },
): Promise<Decided> {
  const { possible, refused } = await act.db
    .transaction()
    .execute(async (trx) => sort(act, trx, gatewayIds));
  const ids = possible.map(({ id }) => id);
  return {
    gatewayIds: await writeSilence(act.db, { ...gatewaySubjects, ids }, how, act),
    refused,
  };
}

/** Records that a person has seen an active alert of a gateway. */
export async function acknowledge(
  act: Act,
  alertId: number,
  ack: Ack,
): Promise<{ gatewayId: string; alert: Acked } | Refusal> {
  return act.db.transaction().execute(async (trx) => {
    const [found] = await query(trx)<{ gateway_id: string }>`
      select gateway_id from alerts where id = ${alertId} and gateway_id is not null`;
    // The lock of its subject comes first, as in the evaluation of alerts.
    const [row] = found === undefined ? [] : await lockGateways(trx, act.scope, [found.gateway_id]);
    if (row === undefined) return { refusal: 'UNKNOWN_ALERT', alertId };
    const result = await writeAck(trx, alertId, ack, act);
    return result.kind === 'RESOLVED'
      ? { refusal: 'ALERT_RESOLVED', alertId }
      : { gatewayId: row.id, alert: result.alert };
  });
}

/** Has a gateway polled now through its walker's own socket, and waits for the values. */
export async function poll(
  act: Act,
  gatewayId: string,
  timeoutMs: number,
): Promise<{ answer: PollAnswer } | { failure: string } | Refusal> {
  const refusal = await refuseAsking(act, gatewayId);
  if (refusal !== null) return refusal;
  const id = await requestPoll(act.db, { gatewayId, by: act.by.actor });
  const answer = await waitForAnswer(act.db, id, timeoutMs);
  if (answer === null) return { refusal: 'NO_ANSWER', timeoutMs };
  return 'outcome' in answer ? { answer } : { failure: failureText(answer) };
}

/** Reads registers of a gateway through its walker's own socket. */
export async function readRegisters(
  act: Act,
  gatewayId: string,
  what: ReadArguments,
  timeoutMs: number,
): Promise<{ answer: ReadAnswer } | Refusal> {
  const refusal = await refuseAsking(act, gatewayId);
  if (refusal !== null) return refusal;
  const id = await requestRead(act.db, { gatewayId, by: act.by.actor, ...what });
  const answer: Answer | null = await waitForAnswer(act.db, id, timeoutMs);
  if (answer === null) return { refusal: 'NO_ANSWER', timeoutMs };
  if ('outcome' in answer)
    throw new Error(`request ${id} to read registers was answered with a poll`);
  return { answer };
}

function failureText(answer: ReadAnswer): string {
  if ('failure' in answer) return answer.failure.message;
  return 'exception' in answer
    ? `the device answered with exception ${answer.exception}`
    : 'the walker answered something else';
}

async function refuseAsking(act: Act, gatewayId: string): Promise<Refusal | null> {
  const [row] = await act.db
    .transaction()
    .execute(async (trx) => lockGateways(trx, act.scope, [gatewayId]));
  const refusal = refusalOf(gatewayId, row);
  if (refusal !== null) return refusal;
  return row?.is_active === false ? { refusal: 'PAUSED', gatewayId } : null;
}

function refusalOf(gatewayId: string, row: GatewayRow | undefined): Refusal | null {
  if (row === undefined) return { refusal: 'UNKNOWN_GATEWAY', gatewayId };
  return row.removed_at === null ? null : { refusal: 'REMOVED', gatewayId };
}

/** Locks gateways, and tells which of them people may change. */
async function sort(
  act: Act,
  trx: Act['db'],
  gatewayIds: readonly string[],
): Promise<{ possible: GatewayRow[]; refused: Refusal[] }> {
  const rows = new Map(
    (await lockGateways(trx, act.scope, gatewayIds)).map((row) => [row.id, row]),
  );
  const refused = gatewayIds.flatMap((id) => refusalOf(id, rows.get(id)) ?? []);
  return { possible: [...rows.values()].filter((row) => row.removed_at === null), refused };
}

/** One decision about several gateways, with a row of the audit log for each. */
async function decide(
  act: Act,
  action: string,
  gatewayIds: readonly string[],
  write: (trx: Act['db'], rows: readonly GatewayRow[]) => Promise<string[]>,
): Promise<Decided> {
  return act.db.transaction().execute(async (trx) => {
    const { possible, refused } = await sort(act, trx, gatewayIds);
    const written = await write(trx, possible);
    const after = new Map(
      (await lockGateways(trx, act.scope, written)).map((row) => [row.id, row] as const),
    );
    await record(
      trx,
      act,
      possible.map((row) => ({
        action,
        gatewayId: row.id,
        before: stateOf(row),
        after: stateOf(after.get(row.id) ?? row),
      })),
    );
    return { gatewayIds: written, refused };
  });
}

function stateOf({ is_active, pause_reason, disabled_at, removed_at }: GatewayRow) {
  return { is_active, pause_reason, disabled_at, removed_at };
}

async function record(
  trx: Act['db'],
  { by, at }: Act,
  decisions: readonly (Omit<Decision, 'subjectType' | 'subjectId'> & { gatewayId: string })[],
): Promise<void> {
  const rows = decisions.map(({ gatewayId, ...decision }) => ({
    ...decision,
    subjectType: 'GATEWAY' as const,
    subjectId: gatewayId,
  }));
  await recordDecisions(trx, rows, by, at);
}
