import type { Kysely, Transaction } from 'kysely';

import {
  type DraftProblem,
  type PlantDraft,
  type PlantField,
  profileProblem,
} from '../../domain/plants/plant-draft.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import type { StatusProfile } from '../../domain/daylight.ts';
import { type Decider, recordDecisions } from '../audit-log.ts';
import { findAccounts, insertAccount, type SealedCredentials } from './credentials.ts';
import type { Db } from '../database.ts';
import { storeCredentials } from './decisions.ts';
import { findTakenPlants, insertPlants, type NewPlant, type TakenPlant } from './plants.ts';
import { codeOf } from '../service-error.ts';
import type { Database } from '../tables.ts';
import { zoneProblem } from '../zones.ts';

/** Adds plants, from a form or a file: all of them, or none. */

/** What is wrong with one of the drafts. */
export interface AddProblem extends DraftProblem {
  /** Which of the drafts, from 0. */
  index: number;
}

export interface Added {
  plants: NewPlant[];
  /** Accounts that were made for them; they have no credentials yet. */
  newAccounts: string[];
}

/** Somebody else added one of the plants, or its account, between the checks and the writes: nothing was added. */
export class AddedMeanwhile extends Error {
  override readonly name = 'AddedMeanwhile';
}

const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

/** Who adds the plants, and how. */
export interface Addition {
  intervalS: number;
  /** The profile of plants whose place is known and that name none. */
  statusProfile?: StatusProfile;
  /** Writes everything and takes it back, so that the database's own checks run as well. */
  dryRun?: boolean;
  /** Are stored for their account, which one of the drafts must name. */
  credentials?: Omit<SealedCredentials, 'version'> | undefined;
}

/**
 * Adds the plants and the accounts that they name for the first time, in one transaction. A draft without a status becomes
 * ACTIVE if its account has credentials, else PENDING_DOCS.
 *
 * @returns what was added (or would be), or every problem of the drafts; then nothing is written.
 * @throws AddedMeanwhile
 */
export async function addPlants(
  db: Kysely<Database>,
  drafts: readonly PlantDraft[],
  addition: Addition,
  decision: { by: Decider; at: Date },
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
    if (problems.length > 0) return { added: null, problems: oncePerField(problems) };
    const added = await write(trx, drafts, addition, decision);
    isWritten = addition.dryRun !== true;
    return { added, problems: [] };
  } catch (cause) {
    const code = codeOf(cause);
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
  { intervalS, statusProfile = 'STRICT', credentials }: Addition,
  { by, at }: { by: Decider; at: Date },
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
  await insertPlants(trx, plants);
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

/** In the order of the drafts. An earlier draft and the database may object to the same value: that is one problem. */
function oncePerField(problems: readonly AddProblem[]): AddProblem[] {
  const first = new Map<string, AddProblem>();
  for (const problem of problems) {
    const key = `${problem.index} ${problem.field}`;
    if (!first.has(key)) first.set(key, problem);
  }
  return [...first.values()].toSorted((a, b) => a.index - b.index);
}

/** The problems of one field. @param problemOf what is wrong with a draft's field; null or undefined: nothing. */
function problemsIn(
  drafts: readonly PlantDraft[],
  field: PlantField,
  problemOf: (draft: PlantDraft) => string | null | undefined,
): AddProblem[] {
  return drafts.flatMap((draft, index) => {
    const problem = problemOf(draft);
    return problem == null ? [] : [{ index, field, problem }];
  });
}

/** Zones that PostgreSQL does not know, or reads by another clock than Node. */
async function zoneProblems(
  db: Kysely<Database>,
  drafts: readonly PlantDraft[],
): Promise<AddProblem[]> {
  const problems = new Map<string, string | null>();
  for (const timezone of new Set(drafts.map((draft) => draft.timezone)))
    problems.set(timezone, await zoneProblem(db, timezone));
  return problemsIn(drafts, 'timezone', ({ timezone }) => problems.get(timezone));
}

const vendorKey = ({
  brand,
  vendor_plant_id,
}: Pick<TakenPlant, 'brand' | 'vendor_plant_id'>): string => `${brand} ${vendor_plant_id}`;

/** The draft's own profile; else the one of new plants if its place is known; else STRICT. */
function profileOf(draft: PlantDraft, ofNewPlants: StatusProfile): StatusProfile {
  return (
    draft.status_profile ?? (profileProblem(ofNewPlants, draft) === null ? ofNewPlants : 'STRICT')
  );
}

/** Drafts with the profile DAYLIGHT and without a place. */
function placeless(drafts: readonly PlantDraft[]): AddProblem[] {
  return problemsIn(drafts, 'status_profile', (draft) =>
    profileProblem(draft.status_profile ?? 'STRICT', draft),
  );
}

/** Drafts that repeat or contradict an earlier one. */
function repeated(drafts: readonly PlantDraft[]): AddProblem[] {
  const firstBy = (keyOf: (draft: PlantDraft) => string) =>
    new Map(drafts.toReversed().map((draft) => [keyOf(draft), draft]));
  const byId = firstBy((draft) => draft.id);
  const byVendor = firstBy(vendorKey);
  const byAccount = firstBy((draft) => draft.account);
  return [
    ...problemsIn(drafts, 'id', (draft) =>
      byId.get(draft.id) === draft ? null : `${draft.id} stands here a second time`,
    ),
    ...problemsIn(drafts, 'vendor_plant_id', (draft) => {
      const first = byVendor.get(vendorKey(draft));
      // A line that stands there twice is told of once, by its id.
      return first === draft || first?.id === draft.id ? null : takenProblem(draft, first?.id);
    }),
    ...problemsIn(drafts, 'account', (draft) =>
      accountProblem(draft, byAccount.get(draft.account)?.brand),
    ),
  ];
}

async function alreadyThere(db: Db, drafts: readonly PlantDraft[]): Promise<AddProblem[]> {
  const taken = await findTakenPlants(db, drafts);
  const ids = new Map(taken.map((plant) => [plant.id, plant.removed_at !== null]));
  const present = taken.filter((plant) => plant.removed_at === null);
  const vendorPlants = new Map(present.map((plant) => [vendorKey(plant), plant.id]));
  return [
    ...problemsIn(drafts, 'id', ({ id }) =>
      ids.has(id)
        ? ids.get(id) === true
          ? `${id} was a plant that is removed, and its ledger is kept: choose another id, or purge it`
          : `${id} is there already`
        : null,
    ),
    ...problemsIn(drafts, 'vendor_plant_id', (draft) =>
      ids.has(draft.id) ? null : takenProblem(draft, vendorPlants.get(vendorKey(draft))),
    ),
  ];
}

async function wrongAccounts(db: Db, drafts: readonly PlantDraft[]): Promise<AddProblem[]> {
  const known = await findAccounts(db, accountIds(drafts));
  const brands = new Map(known.map(({ id, brand }) => [id, brand]));
  return problemsIn(drafts, 'account', (draft) => accountProblem(draft, brands.get(draft.account)));
}

/** @param other the plant that is this vendor's plant already. */
export function takenProblem(
  { brand, vendor_plant_id }: Pick<TakenPlant, 'brand' | 'vendor_plant_id'>,
  other: string | undefined,
): string | null {
  return other === undefined ? null : `${vendor_plant_id} of ${brand} is plant ${other} already`;
}

/** @param other the brand of the account, if it is known. */
export function accountProblem(
  { account, brand }: Pick<PlantDraft, 'account' | 'brand'>,
  other: Brand | undefined,
): string | null {
  return other === undefined || other === brand
    ? null
    : `${account} is an account of ${other}, not of ${brand}`;
}

function accountIds(drafts: readonly PlantDraft[]): string[] {
  return [...new Set(drafts.map((draft) => draft.account))];
}
