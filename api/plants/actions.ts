import { decideCredentials } from '../../db/plants/decisions.ts';
import { credentialsPlace } from '../../db/sealing.ts';
import { describeForm, readCredentials } from '../../domain/plants/credential-form.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import { sentenceOf } from '../../domain/wording.ts';
import type { PlantDraft } from '../../domain/plants/plant-draft.ts';
import {
  type Act,
  acknowledge,
  addNewPlants,
  changeSettings,
  type Decided,
  pause,
  pollPlant,
  resume,
  type SettingsChange,
  silence,
} from '../../operations/plants/actions.ts';
import { tellLoops } from '../../operations/plants/tell-loops.ts';
import type { PollAnswer } from '../../workflows/plants/messages.ts';
import type { ApiDeps, OpenedCredentials } from '../deps.ts';
import { Problem } from '../problem.ts';
import { startLoops } from '../start-loops.ts';
import { createCorrections } from './corrections.ts';
import type { FleetView } from './fleet-view.ts';
import { orProblem, plantOr404, problemOf } from './refusals.ts';

/**
 * What a signed-in person can do, for the routes and the pages: the actions of `operations/`. After each, the view of the fleet
 * is read again and the loop of the plant is told. Refusals are thrown as Problem.
 */

/** Who acts, on what. */
export type Acting = Pick<Act, 'by' | 'scope'>;
export type Actions = ReturnType<typeof createActions>;
type UntilAndWhy = Parameters<typeof pause>[2];

/** The longest time that a person waits for a poll, ms. The poll itself goes on. */
const pollWaitMsDefault = 30_000;
/** The largest number of requests that wait for polls of one plant at the same time. */
const pollsWaitingMax = 10;

export function createActions(
  deps: ApiDeps,
  fleet: FleetView,
  { pollWaitMs = pollWaitMsDefault }: { pollWaitMs?: number } = {},
) {
  const { db, temporal } = deps;
  const act = (acting: Acting): Act => ({ ...acting, db, at: new Date(deps.clock()) });
  const inTurn = limitWaiting(pollsWaitingMax);
  const seal = (accountId: string, brand: Brand, credentials: OpenedCredentials) => {
    const checked = checkCredentials(deps, brand, credentials);
    const problem = deps.credentialProblem(brand, checked);
    if (problem !== null) throw wrongCredentials(problem);
    return { accountId, ...deps.seal(credentialsPlace(accountId), checked) };
  };

  /** Tells the loop of a decision. The decision stands even if that fails: the loop reads it within a minute. */
  async function tell(plantId: string, options: { pollNow?: boolean } = {}) {
    fleet.invalidate();
    return { loop_told: (await tellLoops(temporal, [plantId], options)).told === 1 };
  }

  async function decided(
    plantId: string,
    { refused }: Decided,
    options: { pollNow?: boolean } = {},
  ) {
    if (refused[0] !== undefined) throw problemOf(refused[0]);
    return tell(plantId, options);
  }

  return {
    ...createCorrections({ act, decided }),

    async pause(acting: Acting, plantId: string, how: UntilAndWhy) {
      return decided(plantId, await pause(act(acting), [plantId], how));
    },

    async resume(acting: Acting, plantId: string) {
      return decided(plantId, await resume(act(acting), [plantId]));
    },

    /** `until` null ends the silence. */
    async silence(acting: Acting, plantId: string, how: UntilAndWhy) {
      return decided(plantId, await silence(act(acting), [plantId], how));
    },

    async change(acting: Acting, plantId: string, change: SettingsChange) {
      return decided(plantId, await changeSettings(act(acting), [plantId], change));
    },

    async ack(acting: Acting, alertId: number, ack: Parameters<typeof acknowledge>[2]) {
      const { plant_id: plantId } = orProblem(await acknowledge(act(acting), alertId, ack));
      await tell(plantId);
    },

    /** Waits for that poll's outcome, at most 30 s. */
    async poll(acting: Acting, plantId: string): Promise<PollAnswer> {
      return inTurn(plantId, async () => {
        const polling = pollPlant(act(acting), temporal, plantId, pollWaitMs);
        return orProblem(await polling.finally(() => fleet.invalidate())).answer;
      });
    },

    async create(acting: Acting, draft: PlantDraft, credentials: OpenedCredentials | undefined) {
      const { pollIntervalS: intervalS, statusProfile } = deps;
      const sealed = credentials && seal(draft.account, draft.brand, credentials);
      const options = { intervalS, statusProfile, credentials: sealed };
      orProblem(await addNewPlants(act(acting), [draft], options));
      fleet.invalidate();
      await startLoops(deps);
    },

    /** Replaces the credentials of the plant's account. `active` counts the plants of the account that are polled now. */
    async replaceCredentials(acting: Acting, plantId: string, credentials: OpenedCredentials) {
      const plant = await plantOr404(db, acting.scope, plantId);
      const { vendor_account_id: accountId, brand } = plant;
      const sealed = seal(accountId, brand, credentials);
      const stored = await decideCredentials(db, sealed, acting.by, new Date(deps.clock()));
      fleet.invalidate();
      const { version, resumed, active } = stored;
      const { told } = await tellLoops(temporal, active, { pollNow: true });
      return { account_id: accountId, version, resumed, active: active.length, loops_told: told };
    },
  };
}

/** Limits the number of waiting requests for each plant. The returned function throws Problem 429 beyond `waitingMax`. */
function limitWaiting(waitingMax: number) {
  const waiting = new Map<string, number>();
  return async <Result>(plantId: string, run: () => Promise<Result>): Promise<Result> => {
    const count = waiting.get(plantId) ?? 0;
    if (count >= waitingMax)
      throw new Problem(
        'too-many-requests',
        `${waitingMax} requests wait for a poll of this plant already.`,
        { retryAfterS: 5 },
      );
    waiting.set(plantId, count + 1);
    try {
      return await run();
    } finally {
      const left = (waiting.get(plantId) ?? 1) - 1;
      if (left === 0) waiting.delete(plantId);
      else waiting.set(plantId, left);
    }
  };
}

/** The credentials to use or store, if they fit the brand's login. Throws Problem 422, which repeats no value. */
export function checkCredentials(
  deps: Pick<ApiDeps, 'credentialForms'>,
  brand: Brand,
  credentials: OpenedCredentials,
): OpenedCredentials {
  const form = deps.credentialForms[brand];
  const read = readCredentials(form, credentials);
  if (read.ok) return read.credentials;
  const message = `must hold ${describeForm(form)} and nothing else`;
  throw wrongCredentials(message, `credentials of ${brand} ${message}.`);
}

function wrongCredentials(
  message: string,
  detail = `Nothing was stored: ${sentenceOf(message)}`,
): Problem {
  return new Problem('invalid-request', detail, {
    extra: { errors: [{ in: 'json', path: 'credentials', message }] },
  });
}
