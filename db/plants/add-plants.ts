import type { Kysely, Transaction } from 'kysely';

import {
  type DraftProblem,
  type PlantDraft,
  profileProblem,
} from '../../domain/plants/plant-draft.ts';
import type { StatusProfile } from '../../domain/daylight.ts';
import { type Decider, recordDecisions } from '../audit-log.ts';
import { findAccounts, insertAccount, type replaceCredentials } from './credentials.ts';
import type { Db } from '../database.ts';
import { storeCredentials } from './decisions.ts';
import { findTakenPlants, insertPlants, type NewPlant, type TakenPlant } from './plants.ts';
import type { Database } from '../tables.ts';
import { zoneProblem } from '../zones.ts';

/** New plants, by hand or from a file: all of them, or none. */

/** What stands against one of the drafts. */
export interface AddProblem extends DraftProblem {
  /** Which of the drafts, from 0. */
  index: number;
}

/** Credentials as they will lie in the database. */
type Sealed = Parameters<typeof replaceCredentials>[1];

export interface Added {
  plants: NewPlant[];
  /** Accounts that were made for them; they have no credentials yet. */
  newAccounts: string[];
}

/** Somebody else added one of the plants, or its account, between the checks and the writing: nothing was added. */
export class AddedMeanwhile extends Error {
  override readonly name = 'AddedMeanwhile';
}

/** Plants in one statement: thirteen parameters each, of at most 65,535. */
const plantsPerInsert = 1_000;
const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

/**
 * Adds the plants and the accounts that they name for the first time, in one transaction. A draft without a status becomes
 * ACTIVE where its account has credentials, else PENDING_DOCS.
 *
 * @param options.dryRun everything is written and taken back, so that the database itself has had its say.
 * @returns what was added (or would be), or everything that stands against it; then nothing is written.
 * @param options.credentials are stored for their account, which one of the drafts must name.
 * @throws AddedMeanwhile
 */
export async function addPlants(
  db: Kysely<Database>,
  drafts: readonly PlantDraft[],
  options: {
    intervalS: number;
    statusProfile?: StatusProfile;
    dryRun?: boolean;
    credentials?: Sealed | undefined;
  },
  by: Decider,
  at: Date,
): Promise<{ added: Added; problems: [] } | { added: null; problems: AddProblem[] }> {
  const zones = await zoneProblems(db, drafts);
  const trx = await db.startTransaction().execute();
  let isWritten = false;
  try {
    const problems = [
      ...zones,
      ...repeated(drafts),
      ...placeless(drafts),
      ...(await alreadyThere(trx, drafts)),
      ...(await wrongAccounts(trx, drafts)),
    ];
    if (problems.length > 0)
      return { added: null, problems: problems.toSorted((a, b) => a.index - b.index) };
    const added = await write(trx, drafts, options, by, at);
    isWritten = options.dryRun !== true;
    return { added, problems: [] };
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code === uniqueViolation || code === foreignKeyViolation)
      throw new AddedMeanwhile('somebody added one of the plants meanwhile: nothing was added', {
        cause,
      });
    throw cause;
  } finally {
    await (isWritten ? trx.commit() : trx.rollback()).execute();
  }
}

async function write(
  trx: Transaction<Database>,
  drafts: readonly PlantDraft[],
  {
    intervalS,
    statusProfile = 'STRICT',
    credentials,
  }: { intervalS: number; statusProfile?: StatusProfile; credentials?: Sealed | undefined },
  by: Decider,
  at: Date,
): Promise<Added> {
  const known = await findAccounts(trx, accountIds(drafts));
  const accounts = new Map(known.map((account) => [account.id, account]));
  const newAccounts = new Map(
    drafts
      .filter(({ account }) => !accounts.has(account))
      .map(({ account, brand }) => [account, brand]),
  );
  for (const [id, brand] of newAccounts) await insertAccount(trx, { id, brand, name: id });
  if (credentials !== undefined) await storeCredentials(trx, credentials, by, at);
  const canLogIn = (accountId: string) =>
    credentials?.accountId === accountId || accounts.get(accountId)?.has_credentials === true;
  const plants = drafts.map((draft): NewPlant => ({
    id: draft.id,
    name: draft.name,
    customer_id: draft.customer,
    brand: draft.brand,
    vendor_account_id: draft.account,
    vendor_plant_id: draft.vendor_plant_id,
    timezone: draft.timezone,
    latitude: draft.latitude,
    longitude: draft.longitude,
    installed_capacity_kw: draft.capacity_kw,
    status_profile: profileOf(draft, statusProfile),
    poll_interval_s: draft.interval ?? intervalS,
    integration_status: draft.status ?? (canLogIn(draft.account) ? 'ACTIVE' : 'PENDING_DOCS'),
  }));
  for (let from = 0; from < plants.length; from += plantsPerInsert)
    await insertPlants(trx, plants.slice(from, from + plantsPerInsert));
  await recordDecisions(
    trx,
    plants.map((plant) => ({
      action: 'plant.create',
      subjectType: 'PLANT',
      subjectId: plant.id,
      before: null,
      after: plant,
    })),
    by,
    at,
  );
  return { plants, newAccounts: [...newAccounts.keys()] };
}

/** Zones that PostgreSQL does not know, or reads by another clock than Node. */
async function zoneProblems(
  db: Kysely<Database>,
  drafts: readonly PlantDraft[],
): Promise<AddProblem[]> {
  const unlike = new Map<string, string>();
  for (const timezone of new Set(drafts.map((draft) => draft.timezone))) {
    const problem = await zoneProblem(db, timezone);
    if (problem !== null) unlike.set(timezone, problem);
  }
  return drafts.flatMap((draft, index) => {
    const problem = unlike.get(draft.timezone);
    return problem === undefined ? [] : [{ index, field: 'timezone' as const, problem }];
  });
}

const vendorKey = ({
  brand,
  vendor_plant_id,
}: Pick<TakenPlant, 'brand' | 'vendor_plant_id'>): string => `${brand} ${vendor_plant_id}`;

/** The draft's own profile; else the one of new plants, where the place of this one is known. */
function profileOf(draft: PlantDraft, ofNewPlants: StatusProfile): StatusProfile {
  return (
    draft.status_profile ?? (profileProblem(ofNewPlants, draft) === null ? ofNewPlants : 'STRICT')
  );
}

/** Drafts that want DAYLIGHT of a place that they do not tell. */
function placeless(drafts: readonly PlantDraft[]): AddProblem[] {
  return drafts.flatMap((draft, index) => {
    const problem = profileProblem(draft.status_profile ?? 'STRICT', draft);
    return problem === null ? [] : [{ index, field: 'status_profile' as const, problem }];
  });
}

/** Drafts that repeat an earlier one. */
function repeated(drafts: readonly PlantDraft[]): AddProblem[] {
  const problems: AddProblem[] = [];
  const ids = new Set<string>();
  const vendorPlants = new Map<string, string>();
  const brands = new Map<string, string>();
  for (const [index, draft] of drafts.entries()) {
    if (ids.has(draft.id))
      problems.push({ index, field: 'id', problem: `${draft.id} stands here a second time` });
    const other = vendorPlants.get(vendorKey(draft));
    if (other !== undefined)
      problems.push({
        index,
        field: 'vendor_plant_id',
        problem: `${draft.vendor_plant_id} of ${draft.brand} is plant ${other} already`,
      });
    const brand = brands.get(draft.account);
    if (brand !== undefined && brand !== draft.brand)
      problems.push({
        index,
        field: 'account',
        problem: `${draft.account} is an account of ${brand}, not of ${draft.brand}`,
      });
    ids.add(draft.id);
    if (other === undefined) vendorPlants.set(vendorKey(draft), draft.id);
    if (brand === undefined) brands.set(draft.account, draft.brand);
  }
  return problems;
}

async function alreadyThere(db: Db, drafts: readonly PlantDraft[]): Promise<AddProblem[]> {
  const taken = await findTakenPlants(db, drafts);
  const ids = new Set(taken.map((plant) => plant.id));
  const vendorPlants = new Map(taken.map((plant) => [vendorKey(plant), plant.id]));
  return drafts.flatMap((draft, index): AddProblem[] => {
    if (ids.has(draft.id)) return [{ index, field: 'id', problem: `${draft.id} is there already` }];
    const other = vendorPlants.get(vendorKey(draft));
    return other === undefined
      ? []
      : [
          {
            index,
            field: 'vendor_plant_id',
            problem: `${draft.vendor_plant_id} of ${draft.brand} is plant ${other} already`,
          },
        ];
  });
}

async function wrongAccounts(db: Db, drafts: readonly PlantDraft[]): Promise<AddProblem[]> {
  const known = await findAccounts(db, accountIds(drafts));
  const brands = new Map(known.map(({ id, brand }) => [id, brand]));
  return drafts.flatMap(({ account, brand }, index): AddProblem[] => {
    const other = brands.get(account);
    if (other === undefined || other === brand) return [];
    return [
      { index, field: 'account', problem: `${account} is an account of ${other}, not of ${brand}` },
    ];
  });
}

function accountIds(drafts: readonly PlantDraft[]): string[] {
  return [...new Set(drafts.map((draft) => draft.account))];
}
