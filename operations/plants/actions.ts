import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { Ack } from '../../db/alerts.ts';
import type { Decider } from '../../db/audit-log.ts';
import {
  type Added,
  AddedMeanwhile,
  type AddProblem,
  addPlants,
} from '../../db/plants/add-plants.ts';
import { ackAlert, type AckResult, silencePlants } from '../../db/plants/alerts-in-hand.ts';
import { findCredentialPauses } from '../../db/plants/credentials.ts';
import { decide, type DecidedPlant } from '../../db/plants/decisions.ts';
import {
  activatePlants,
  findPlantIn,
  listPlants,
  pausePlants,
  type PlantRow,
  type PlantSettings,
  resumePlants,
  updatePlants,
} from '../../db/plants/plants.ts';
import type { PlantScope } from '../../db/scope.ts';
import type { Database } from '../../db/tables.ts';
import { zoneProblem } from '../../db/zones.ts';
import type { CredentialsFault } from '../../domain/plants/reading.ts';
import type { IntegrationStatus } from '../../domain/plants/plant.ts';
import { type PlantDraft, profileProblem } from '../../domain/plants/plant-draft.ts';
import { isPossible, type PlantWish } from '../../domain/plants/wishes.ts';
import { pollWorkflowId } from '../../workflows/plants/messages.ts';
import { pollNow, type PollAnswered, type PollRefusal } from './poll-now.ts';

/**
 * What people do with plants and their alerts, over HTTP or at a terminal. An action writes the rows and the audit log, and
 * returns its result as a value: `api` turns refusals into problem documents, `cli` into sentences and exit codes. The caller
 * then tells the loops of the plants (`tellLoops`).
 */

/** The person who acts, when, and on which plants this person may act. */
export interface Act {
  db: Kysely<Database>;
  by: Decider;
  at: Date;
  /** A plant outside of it is unknown. */
  scope: PlantScope;
}

/** Why something was not done. */
export type Refusal =
  | { refusal: 'UNKNOWN_PLANT'; plantId: string }
  | { refusal: 'UNKNOWN_ALERT'; alertId: number }
  /** The plant's integration status does not allow it. */
  | { refusal: 'NOT_NOW'; wish: PlantWish; plantId: string; status: IntegrationStatus }
  /** The plant would be paused again at once: its account has no credentials, or some that we cannot use. */
  | { refusal: 'NO_USE'; plantId: string; accountId: string; fault: CredentialsFault }
  | { refusal: 'ALERT_RESOLVED'; alertId: number; plantId: string; resolvedAt: Date | null }
  /** `problem` continues the field's name: "is DAYLIGHT, which needs …". */
  | {
      refusal: 'WRONG_VALUE';
      field: 'timezone' | 'status_profile' | 'account';
      /** null: the value is wrong for every plant. */
      plantId: string | null;
      problem: string;
    }
  /** Another plant has the value. `problem` is a sentence without its full stop. */
  | { refusal: 'TAKEN'; field: 'vendor_plant_id'; plantId: string; problem: string }
  /** The plant has days and a ledger of its vendor's plant. */
  | { refusal: 'HAS_ANSWERED'; plantId: string; vendorPlantId: string }
  | { refusal: 'REMOVED'; plantId: string; removedAt: Date }
  | { refusal: 'NOT_REMOVED'; plantId: string }
  /** What is known of the removed plant is kept until then. */
  | { refusal: 'STILL_KEPT'; plantId: string; until: Date }
  /** Another person changed the plant after this person read it. */
  | { refusal: 'CHANGED_MEANWHILE'; revision: number }
  | { refusal: 'NOT_ADDED'; problems: AddProblem[] }
  /** `reason` is a sentence without its full stop. */
  | { refusal: 'ADDED_MEANWHILE'; reason: string }
  | PollRefusal;

/** The result of a decision about plants. */
export interface Decided {
  /** The plants for which it was written. */
  plantIds: string[];
  /** What was not done, and why; at most one refusal for each plant. */
  refused: Refusal[];
  /** Of a resume: those of `plantIds` that ask the vendor again with the credentials that it refused; absent: none. */
  askedAgain?: string[];
}

/** Pauses plants. `until` null: until a person resumes them. */
export async function pause(
  act: Act,
  plantIds: readonly string[],
  how: { until: Date | null; reason: string | null },
): Promise<Decided> {
  return decide(act, 'plant.pause', plantIds, async (trx, plants) => {
    const { possible, refused } = sort(act, plantIds, plants, 'PAUSE');
    return { plantIds: await pausePlants(trx, possible, how), refused };
  });
}

/**
 * Lifts the pause of an operator, or one for refused credentials. The result's `plantIds` are the plants that became ACTIVE;
 * plants whose account has no credentials that could be shown to the vendor stay paused.
 */
export async function resume(act: Act, plantIds: readonly string[]): Promise<Decided> {
  return decide(act, 'plant.resume', plantIds, async (trx, plants) => {
    const { possible, refused } = sort(act, plantIds, plants, 'RESUME');
    const pauses = new Map(
      (await findCredentialPauses(trx, possible)).map((one) => [one.plant_id, one]),
    );
    const useless = [...pauses.values()].flatMap(({ plant_id, account_id, refusal }): Refusal[] =>
      refusal === 'REFUSED'
        ? []
        : [{ refusal: 'NO_USE', plantId: plant_id, accountId: account_id, fault: refusal }],
    );
    const useful = possible.filter((id) => (pauses.get(id)?.refusal ?? 'REFUSED') === 'REFUSED');
    const resumed = await resumePlants(trx, useful, act.at);
    const askedAgain = resumed.filter((id) => pauses.has(id));
    return {
      plantIds: resumed,
      refused: [...refused, ...useless],
      ...(askedAgain.length === 0 ? {} : { askedAgain }),
    };
  });
}

/** Silences alerts of plants: they exist, and are not announced until a time. `until` null ends the silence. */
export async function silence(
  act: Act,
  plantIds: readonly string[],
  how: { until: Date | null; reason: string | null },
): Promise<Decided> {
  const plants = await listPlants(act.db, { ids: plantIds, removed: 'TOO' }, act.scope);
  const { possible, refused } = sort(act, plantIds, plants, null);
  return { plantIds: await silencePlants(act.db, possible, how, act), refused };
}

export interface SettingsChange {
  settings: PlantSettings;
  /** The documents are complete: PENDING_DOCS becomes ACTIVE. A paused plant is refused and keeps its settings. */
  activates: boolean;
  /** Refuses the change if a plant has another revision. */
  ifRevision?: number | undefined;
}

/** Changes the settings of plants. */
export async function changeSettings(
  act: Act,
  plantIds: readonly string[],
  { settings, activates, ifRevision }: SettingsChange,
): Promise<Decided> {
  const wrongZone = await refuseZone(act, settings.timezone);
  if (wrongZone !== null) return { plantIds: [], refused: [wrongZone] };
  return decide(act, 'plant.set', plantIds, async (trx, plants) => {
    const { possible, refused } = sort(act, plantIds, plants, activates ? 'ACTIVATE' : null);
    const against = refuseProfile(plants, settings) ?? refuseRevision(plants, ifRevision);
    if (against !== null) return { plantIds: [], refused: [...refused, against] };
    await updatePlants(trx, possible, settings);
    if (activates) await activatePlants(trx, possible, act.at);
    return { plantIds: possible, refused };
  });
}

async function refuseZone({ db }: Act, timezone: string | undefined): Promise<Refusal | null> {
  const problem = timezone === undefined ? null : await zoneProblem(db, timezone);
  return problem === null
    ? null
    : { refusal: 'WRONG_VALUE', field: 'timezone', plantId: null, problem };
}

function refuseProfile(plants: readonly DecidedPlant[], settings: PlantSettings): Refusal | null {
  for (const plant of plants) {
    const after = { ...plant, ...settings };
    const problem = profileProblem(after.status_profile, after);
    if (problem !== null)
      return { refusal: 'WRONG_VALUE', field: 'status_profile', plantId: plant.id, problem };
  }
  return null;
}

export function refuseRevision(
  plants: readonly DecidedPlant[],
  ifRevision: number | undefined,
): Refusal | null {
  const other = plants.find(({ revision }) => ifRevision !== undefined && revision !== ifRevision);
  return other === undefined ? null : { refusal: 'CHANGED_MEANWHILE', revision: other.revision };
}

type AckedAlert = Extract<AckResult, { kind: 'ACKED' }>['alert'];

/** Records that a person has seen an active alert. */
export async function acknowledge(
  act: Act,
  alertId: number,
  ack: Ack,
): Promise<AckedAlert | Refusal> {
  const result = await ackAlert(act.db, alertId, ack, act);
  switch (result.kind) {
    case 'ACKED':
      return result.alert;
    case 'UNKNOWN':
      return { refusal: 'UNKNOWN_ALERT', alertId };
    case 'RESOLVED': {
      const { plantId, resolvedAt } = result;
      return { refusal: 'ALERT_RESOLVED', alertId, plantId, resolvedAt };
    }
  }
}

/** Adds all of the plants or none. See `addPlants` for the options. */
export async function addNewPlants(
  act: Act,
  drafts: readonly PlantDraft[],
  options: Parameters<typeof addPlants>[2],
): Promise<Added | Refusal> {
  try {
    const { added, problems } = await addPlants(act.db, drafts, options, act);
    return added ?? { refusal: 'NOT_ADDED', problems };
  } catch (error) {
    if (error instanceof AddedMeanwhile)
      return { refusal: 'ADDED_MEANWHILE', reason: error.message };
    throw error;
  }
}

/** Time limit for finding out whether a loop runs. */
const lookMsMax = 5_000;

/**
 * Polls a plant now, and waits for the result.
 *
 * @throws ServiceError when Temporal is away.
 */
export async function pollPlant(
  act: Act,
  client: Client,
  plantId: string,
  timeoutMs: number,
): Promise<PollAnswered | Refusal> {
  const plant = await findPlantIn(act.db, act.scope, plantId);
  const [refusal] = sort(act, [plantId], plant === undefined ? [] : [plant], 'POLL').refused;
  if (refusal !== undefined) return refusal;
  try {
    // So that a missing loop, or Temporal being away, does not look like a slow poll.
    await client.withDeadline(Date.now() + lookMsMax, () =>
      client.workflow.getHandle(pollWorkflowId(plantId)).describe(),
    );
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { refusal: 'NO_LOOP', plantId };
    throw error;
  }
  return pollNow(client, plantId, timeoutMs, act.by.requestId ?? undefined);
}

/** Separates the plants that allow the wish from the others. @param wish null: every plant allows it that is not removed. */
export function sort(
  { scope }: Act,
  plantIds: readonly string[],
  plants: readonly Pick<PlantRow, 'id' | 'customer_id' | 'integration_status' | 'removed_at'>[],
  wish: PlantWish | null,
): { possible: string[]; refused: Refusal[] } {
  const known = new Map(plants.map((plant) => [plant.id, plant]));
  const possible: string[] = [];
  const refused: Refusal[] = [];
  for (const plantId of plantIds) {
    const plant = known.get(plantId);
    const isForeign = scope.customerId !== null && plant?.customer_id !== scope.customerId;
    if (plant === undefined || isForeign) refused.push({ refusal: 'UNKNOWN_PLANT', plantId });
    else if (plant.removed_at !== null)
      refused.push({ refusal: 'REMOVED', plantId, removedAt: plant.removed_at });
    else if (wish === null || isPossible(wish, plant.integration_status)) possible.push(plantId);
    else refused.push({ refusal: 'NOT_NOW', wish, plantId, status: plant.integration_status });
  }
  return { possible, refused };
}
