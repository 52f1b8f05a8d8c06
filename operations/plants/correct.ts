import { accountProblem, takenProblem } from '../../db/plants/add-plants.ts';
import {
  deletePlant,
  hasAnswered,
  markRemoved,
  setAccount,
  setVendorPlant,
} from '../../db/plants/correct.ts';
import { findAccounts, insertAccount } from '../../db/plants/credentials.ts';
import { decide } from '../../db/plants/decisions.ts';
import { findTakenPlants, lockPlant } from '../../db/plants/plants.ts';
import { removedKeptMs } from '../../domain/plants/removal.ts';
import { type Act, type Decided, type Refusal, refuseRevision, sort } from './actions.ts';

/**
 * What people do about a wrong plant: correct its id at the vendor, move it to another account, remove it, and delete what
 * is kept of a removed one.
 */

/** Gives a plant that never answered another id at its vendor. @param change.ifRevision as of `changeSettings`. */
export async function correctVendorPlant(
  act: Act,
  plantId: string,
  { vendorPlantId, ifRevision }: { vendorPlantId: string; ifRevision?: number | undefined },
): Promise<Decided> {
  return decide(act, 'plant.set', [plantId], async (trx, plants) => {
    const { refused } = sort(act, [plantId], plants, null);
    const plant = plants[0];
    if (plant === undefined || refused.length > 0) return { plantIds: [], refused };
    const changed = refuseRevision(plants, ifRevision);
    if (changed !== null) return refuse(changed);
    if (plant.vendor_plant_id === vendorPlantId) return { plantIds: [plantId], refused: [] };
    if (await hasAnswered(trx, plantId))
      return refuse({ refusal: 'HAS_ANSWERED', plantId, vendorPlantId: plant.vendor_plant_id });
    const wanted = { id: plantId, brand: plant.brand, vendor_plant_id: vendorPlantId };
    const other = (await findTakenPlants(trx, [wanted])).find(({ id }) => id !== plantId);
    const problem = takenProblem(wanted, other?.id);
    if (problem !== null)
      return refuse({ refusal: 'TAKEN', field: 'vendor_plant_id', plantId, problem });
    await setVendorPlant(trx, plantId, vendorPlantId);
    return { plantIds: [plantId], refused: [] };
  });
}

/**
 * Moves a plant to another account of its brand, which is made if it is new. The plant keeps its past.
 *
 * @returns `newAccount`: it has no credentials yet.
 */
export async function movePlant(
  act: Act,
  plantId: string,
  accountId: string,
): Promise<Decided & { newAccount: boolean }> {
  return decide(act, 'plant.move', [plantId], async (trx, plants) => {
    const { refused } = sort(act, [plantId], plants, null);
    const plant = plants[0];
    if (plant === undefined || refused.length > 0)
      return { plantIds: [], refused, newAccount: false };
    const [account] = await findAccounts(trx, [accountId]);
    const { brand } = plant;
    const problem = accountProblem({ account: accountId, brand }, account?.brand);
    if (problem !== null) {
      const wrong = { refusal: 'WRONG_VALUE', field: 'account', plantId, problem } as const;
      return { ...refuse(wrong), newAccount: false };
    }
    const newAccount = account === undefined;
    if (newAccount) await insertAccount(trx, { id: accountId, brand, name: accountId });
    const canLogIn = account?.has_credentials === true;
    await setAccount(trx, plantId, { accountId, canLogIn, at: act.at });
    return { plantIds: [plantId], refused: [], newAccount };
  });
}

/** Removes plants: nothing polls them, lists and totals leave them out; their ledger and their days are kept. */
export async function removePlants(act: Act, plantIds: readonly string[]): Promise<Decided> {
  return decide(act, 'plant.remove', plantIds, async (trx, plants) => {
    const { possible, refused } = sort(act, plantIds, plants, null);
    for (const plantId of possible) await markRemoved(trx, plantId, act.at);
    return { plantIds: possible, refused };
  });
}

/** Deletes a removed plant with all that is kept of it, once that has been kept long enough; at once if it never answered. */
export async function purgePlant(
  act: Act,
  plantId: string,
): Promise<{ plantId: string; ledgerRows: number } | Refusal> {
  return act.db.transaction().execute(async (trx) => {
    const plant = await lockPlant(trx, plantId);
    const { customerId } = act.scope;
    if (plant === undefined || (customerId !== null && plant.customer_id !== customerId))
      return { refusal: 'UNKNOWN_PLANT', plantId };
    if (plant.removed_at === null) return { refusal: 'NOT_REMOVED', plantId };
    const until = new Date(plant.removed_at.getTime() + removedKeptMs);
    if (act.at < until && (await hasAnswered(trx, plantId)))
      return { refusal: 'STILL_KEPT', plantId, until };
    return { plantId, ledgerRows: await deletePlant(trx, plantId, act) };
  });
}

function refuse(refusal: Refusal): Decided {
  return { plantIds: [], refused: [refusal] };
}
