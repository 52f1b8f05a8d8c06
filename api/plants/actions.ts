import { ScheduleOverlapPolicy, WorkflowNotFoundError } from '@temporalio/client';

import { type Added, AddedMeanwhile, addPlants } from '../../db/plants/add-plants.ts';
import { type AckResult, ackAlert, silencePlants } from '../../db/plants/alerts-in-hand.ts';
import type { Decider } from '../../db/audit-log.ts';
import {
  decideCredentials,
  decidePause,
  decideResume,
  decideSettings,
} from '../../db/plants/decisions.ts';
import { findPlantIn, type PlantRow, type PlantSettings } from '../../db/plants/plants.ts';
import type { PlantScope } from '../../db/scope.ts';
import { zoneProblem } from '../../db/zones.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { sentenceOf } from '../../domain/wording.ts';
import {
  type PlantDraft,
  type PlantField,
  profileProblem,
} from '../../domain/plants/plant-draft.ts';
import { type PollAnswer, pollWorkflowId } from '../../workflows/plants/messages.ts';
import { fleetScheduleId } from '../../workflows/messages.ts';
import type { ApiDeps, OpenedCredentials } from '../deps.ts';
import type { FleetView } from './fleet-view.ts';
import { Problem } from '../problem.ts';
import { pollNow } from '../../operations/plants/poll-now.ts';
import { signalLoopsIfThere } from '../../operations/plants/tell-loops.ts';

/**
 * What a person signed in can do: the routes and the pages call the same functions. Each throws Problem where it cannot be
 * done, writes the row with its audit log, tells the loop, and has the fleet's view read anew.
 */

/** Who acts, on what. */
export interface Acting {
  by: Decider;
  scope: PlantScope;
}

/** A decision is written whatever became of telling the loop: that one looks by itself within a minute. */
export interface Decided {
  loop_told: boolean;
}

export interface CredentialsAnswer {
  account_id: string;
  version: number;
  /** Plants whose pause for refused credentials was lifted. */
  resumed: string[];
  /** How many plants of the account are polled now. */
  active: number;
  loops_told: number;
}

export interface Actions {
  pause(
    acting: Acting,
    plantId: string,
    pause: { until: Date | null; reason: string | null },
  ): Promise<Decided>;
  resume(acting: Acting, plantId: string): Promise<Decided>;
  /** `until` null ends the silence. */
  silence(
    acting: Acting,
    plantId: string,
    silence: { until: Date | null; reason: string | null },
  ): Promise<Decided>;
  /** Waits for that poll's outcome, at most 30 s. */
  poll(acting: Acting, plantId: string): Promise<PollAnswer>;
  ack(
    acting: Acting,
    alertId: number,
    ack: { comment: string | null; until: Date | null },
  ): Promise<Extract<AckResult, { kind: 'ACKED' }>['alert'] & Decided>;
  change(
    acting: Acting,
    plantId: string,
    change: { settings: PlantSettings; activates: boolean; ifRevision: number | undefined },
  ): Promise<Decided>;
  create(
    acting: Acting,
    draft: PlantDraft,
    credentials: OpenedCredentials | undefined,
  ): Promise<Added>;
  replaceCredentials(
    acting: Acting,
    plantId: string,
    credentials: OpenedCredentials,
  ): Promise<CredentialsAnswer>;
}

/** A person waits no longer; the poll itself goes on. */
const pollWaitMsDefault = 30_000;
/** One more poll answers whoever asks meanwhile; a queue of people behind one plant helps none of them. */
const pollsWaitingMax = 10;
/** Time to learn whether there is a loop at all. */
const lookMsMax = 5_000;
/** As a request names what a draft calls otherwise. */
const apiFields: Partial<Record<PlantField, string>> = {
  account: 'vendor_account_id',
  customer: 'customer_id',
  capacity_kw: 'installed_capacity_kw',
  interval: 'poll_interval_s',
  status: 'integration_status',
};

export function createActions(
  deps: ApiDeps,
  fleet: FleetView,
  { pollWaitMs = pollWaitMsDefault }: { pollWaitMs?: number } = {},
): Actions {
  const { db, temporal } = deps;
  const waiting = new Map<string, number>();

  async function plantIn(scope: PlantScope, plantId: string): Promise<PlantRow> {
    const plant = await findPlantIn(db, scope, plantId);
    if (plant === undefined) throw new Problem('not-found', 'There is no such plant.');
    return plant;
  }

  async function decided(plantId: string): Promise<Decided> {
    fleet.invalidate();
    return { loop_told: (await signalLoopsIfThere(temporal, [plantId])) === 1 };
  }

  async function ask(plantId: string, requestId: string | null): Promise<PollAnswer> {
    // Tells a loop that does not run, and Temporal that is away, from a poll that takes long.
    await temporal
      .withDeadline(Date.now() + lookMsMax, () => pollLoop(plantId).describe())
      .catch((error: unknown) => {
        throw error instanceof WorkflowNotFoundError ? noLoop() : error;
      });
    const result = await pollNow(temporal, plantId, pollWaitMs, requestId ?? undefined);
    switch (result.kind) {
      case 'ANSWER':
        return result.answer;
      case 'REFUSED':
        throw new Problem('conflict', sentenceOf(result.reason));
      case 'NO_LOOP':
        throw noLoop();
      case 'NO_ANSWER':
        throw new Problem(
          'answer-not-in-time',
          `The poll did not end within ${pollWaitMs / 1000} s. It goes on: the plant's last polls will tell what became of it.`,
        );
    }
  }

  function pollLoop(plantId: string) {
    return temporal.workflow.getHandle(pollWorkflowId(plantId));
  }

  return {
    async pause({ by, scope }, plantId, pause) {
      const plant = await plantIn(scope, plantId);
      if (plant.integration_status === 'PENDING_DOCS')
        throw new Problem(
          'conflict',
          'The plant waits for its documents and is not polled anyway.',
        );
      await decidePause(db, [plantId], pause, by, new Date(deps.clock()));
      return decided(plantId);
    },

    async resume({ by, scope }, plantId) {
      const plant = await plantIn(scope, plantId);
      if (plant.integration_status === 'PENDING_DOCS')
        throw new Problem(
          'conflict',
          'The plant waits for its documents: set integration_status to ACTIVE when they are complete.',
        );
      await decideResume(db, [plantId], by, new Date(deps.clock()));
      return decided(plantId);
    },

    async silence({ by, scope }, plantId, silence) {
      await plantIn(scope, plantId);
      await silencePlants(db, [plantId], silence, { by, at: new Date(deps.clock()) });
      return decided(plantId);
    },

    async poll({ by, scope }, plantId) {
      const plant = await plantIn(scope, plantId);
      if (plant.integration_status !== 'ACTIVE')
        throw new Problem(
          'conflict',
          `The plant is ${plant.integration_status} and is not polled.`,
        );
      const count = waiting.get(plantId) ?? 0;
      if (count >= pollsWaitingMax)
        throw new Problem(
          'too-many-requests',
          `${pollsWaitingMax} requests wait for a poll of this plant already.`,
          { retryAfterS: 5 },
        );
      waiting.set(plantId, count + 1);
      try {
        return await ask(plantId, by.requestId);
      } finally {
        fleet.invalidate();
        const left = (waiting.get(plantId) ?? 1) - 1;
        if (left === 0) waiting.delete(plantId);
        else waiting.set(plantId, left);
      }
    },

    async ack({ by, scope }, alertId, ack) {
      const result = await ackAlert(db, alertId, ack, { by, at: new Date(deps.clock()), scope });
      if (result.kind === 'UNKNOWN') throw new Problem('not-found', 'There is no such alert.');
      if (result.kind === 'RESOLVED')
        throw new Problem(
          'conflict',
          'The alert is resolved: there is nothing left to acknowledge.',
        );
      return { ...result.alert, ...(await decided(result.alert.plant_id)) };
    },

    async change({ by, scope }, plantId, change) {
      const plant = await plantIn(scope, plantId);
      const { settings, activates } = change;
      await refuseSettings(settings, plant);
      if (activates && isPaused(plant))
        throw new Problem(
          'conflict',
          `The plant is ${plant.integration_status}: POST /api/v1/plants/${plantId}/resume lifts that.`,
        );
      const at = new Date(deps.clock());
      const result = await decideSettings(db, [plantId], change, by, at);
      if (result.kind === 'CHANGED_MEANWHILE')
        throw new Problem('precondition-failed', `Its revision is ${result.revision} by now.`, {
          extra: { revision: result.revision },
        });
      return decided(plantId);
    },

    async create({ by }, draft, credentials) {
      const sealed =
        credentials === undefined
          ? undefined
          : deps.seal(draft.account, checkCredentials(deps, draft.brand, credentials));
      const { added, problems } = await addPlants(
        db,
        [draft],
        {
          intervalS: deps.pollIntervalS,
          statusProfile: deps.statusProfile,
          credentials: sealed,
        },
        by,
        new Date(deps.clock()),
      ).catch((error: unknown) => {
        throw error instanceof AddedMeanwhile
          ? new Problem('conflict', `${error.message}.`)
          : error;
      });
      if (added === null) {
        const errors = problems.map(({ field, problem }) => ({
          in: 'json',
          path: apiFields[field] ?? field,
          message: problem,
        }));
        const detail = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
        const isInvalid = problems.every(({ field }) =>
          ['timezone', 'status_profile'].includes(field),
        );
        throw new Problem(isInvalid ? 'invalid-request' : 'conflict', `${detail}.`, {
          extra: { errors },
        });
      }
      fleet.invalidate();
      await startLoopsIfThere();
      return added;
    },

    async replaceCredentials({ by, scope }, plantId, credentials) {
      const plant = await plantIn(scope, plantId);
      const accountId = plant.vendor_account_id;
      const sealed = deps.seal(accountId, checkCredentials(deps, plant.brand, credentials));
      const stored = await decideCredentials(db, sealed, by, new Date(deps.clock()));
      fleet.invalidate();
      const told = await signalLoopsIfThere(temporal, stored.active, { pollNow: true });
      return {
        account_id: accountId,
        version: stored.version,
        resumed: stored.resumed,
        active: stored.active.length,
        loops_told: told ?? 0,
      };
    },
  };

  async function refuseSettings(settings: PlantSettings, plant: PlantRow): Promise<void> {
    const refuse = (path: string, problem: string) =>
      new Problem('invalid-request', `${path} ${problem}.`, {
        extra: { errors: [{ in: 'json', path, message: problem }] },
      });
    if (settings.timezone !== undefined) {
      const problem = await zoneProblem(db, settings.timezone);
      if (problem !== null) throw refuse('timezone', problem);
    }
    const after = { ...plant, ...settings };
    const problem = profileProblem(after.status_profile, after);
    if (problem !== null) throw refuse('status_profile', problem);
  }

  /** The reconciliation starts the loops of new plants; it runs every 30 s anyway. */
  async function startLoopsIfThere(): Promise<void> {
    try {
      await temporal.withDeadline(Date.now() + lookMsMax, () =>
        temporal.schedule.getHandle(fleetScheduleId).trigger(ScheduleOverlapPolicy.SKIP),
      );
    } catch (error) {
      deps.log.warn(
        { error: (error as Error).name },
        'the reconciliation was not told of a new plant',
      );
    }
  }
}

function isPaused(plant: PlantRow): boolean {
  return ['DISABLED_BY_OPERATOR', 'PAUSED_AUTH_ERROR'].includes(plant.integration_status);
}

function noLoop(): Problem {
  return new Problem('service-away', 'The loop of the plant is not running: is a worker up?', {
    retryAfterS: 30,
  });
}

/** The fields of the brand's login, all of them and no other. Throws Problem, which tells no value. */
export function checkCredentials(
  deps: Pick<ApiDeps, 'credentialFields'>,
  brand: Brand,
  credentials: OpenedCredentials,
): OpenedCredentials {
  const fields = deps.credentialFields[brand];
  const missing = fields.filter((field) => (credentials[field] ?? '') === '');
  const isOther = Object.keys(credentials).some((field) => !fields.includes(field));
  if (missing.length === 0 && !isOther) return credentials;
  const message = `must hold ${fields.join(', ')} and nothing else`;
  throw new Problem('invalid-request', `credentials of ${brand} ${message}.`, {
    extra: { errors: [{ in: 'json', path: 'credentials', message }] },
  });
}
