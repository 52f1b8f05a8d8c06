import type { Kysely } from 'kysely';

import { findAccounts, insertAccount } from '../db/credentials.ts';
import type { Db } from '../db/database.ts';
import { findTakenPlants, insertPlants, type NewPlant, type TakenPlant } from '../db/plants.ts';
import type { Database } from '../db/tables.ts';
import { clockInDatabase } from '../db/zones.ts';
import { localTimeText } from '../domain/wording.ts';
import { CommandError, exitCodes } from './config.ts';
import type { DraftProblem, PlantDraft } from './plant-fields.ts';

/** New plants, by hand or from a file: all of them, or none. */

/** What stands against one of the drafts. */
export interface AddProblem extends DraftProblem {
  /** Which of the drafts, from 0. */
  index: number;
}

export interface Added {
  plants: NewPlant[];
  /** Accounts that were made for them; they have no credentials yet. */
  newAccounts: string[];
}

/** Plants in one statement: thirteen parameters each, of at most 65,535. */
const plantsPerInsert = 1_000;
/** A winter's and a summer's day on either half of the earth: clocks that agree on both agree on summer time. */
const zoneProbesMs = [Date.UTC(2026, 0, 15, 12), Date.UTC(2026, 6, 15, 12)];
const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

/**
 * Adds the plants and the accounts that they name for the first time, in one transaction. A draft without a status becomes
 * ACTIVE where its account has credentials, else PENDING_DOCS.
 *
 * @param options.dryRun everything is written and taken back, so that the database itself has had its say.
 * @returns what was added (or would be), or everything that stands against it; then nothing is written.
 * @throws CommandError 1 where somebody else added one of them, or its account, between the checks and the writing.
 */
export async function addPlants(
  db: Kysely<Database>,
  drafts: readonly PlantDraft[],
  options: { intervalS: number; dryRun?: boolean },
): Promise<{ added: Added; problems: [] } | { added: null; problems: AddProblem[] }> {
  const zones = await zoneProblems(db, drafts);
  const trx = await db.startTransaction().execute();
  let isWritten = false;
  try {
    const problems = [
      ...zones,
      ...repeated(drafts),
      ...(await alreadyThere(trx, drafts)),
      ...(await wrongAccounts(trx, drafts)),
    ];
    if (problems.length > 0)
      return { added: null, problems: problems.toSorted((a, b) => a.index - b.index) };
    const added = await write(trx, drafts, options.intervalS);
    isWritten = options.dryRun !== true;
    return { added, problems: [] };
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code === uniqueViolation || code === foreignKeyViolation)
      throw new CommandError(
        'somebody added one of the plants meanwhile: nothing was added',
        exitCodes.failed,
        { cause },
      );
    throw cause;
  } finally {
    await (isWritten ? trx.commit() : trx.rollback()).execute();
  }
}

/** What is to be done about accounts that are new; empty where none is. */
export function credentialsHint(newAccounts: readonly string[]): string {
  return newAccounts
    .map(
      (account) =>
        `account ${account} is new: store its credentials with \`heliograph plants credentials ${account}\`\n`,
    )
    .join('');
}

async function write(trx: Db, drafts: readonly PlantDraft[], intervalS: number): Promise<Added> {
  const known = await findAccounts(trx, accountIds(drafts));
  const accounts = new Map(known.map((account) => [account.id, account]));
  const newAccounts = new Map(
    drafts
      .filter(({ account }) => !accounts.has(account))
      .map(({ account, brand }) => [account, brand]),
  );
  for (const [id, brand] of newAccounts) await insertAccount(trx, { id, brand, name: id });
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
    poll_interval_s: draft.interval ?? intervalS,
    integration_status:
      draft.status ??
      (accounts.get(draft.account)?.has_credentials === true ? 'ACTIVE' : 'PENDING_DOCS'),
  }));
  for (let from = 0; from < plants.length; from += plantsPerInsert)
    await insertPlants(trx, plants.slice(from, from + plantsPerInsert));
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

/** Why the zone cannot be a plant's; null where it can. Not within a transaction. */
export async function zoneProblem(db: Kysely<Database>, timezone: string): Promise<string | null> {
  for (const atMs of zoneProbesMs) {
    const clock = await clockInDatabase(db, timezone, atMs);
    if (clock === null) return `is ${timezone}, which PostgreSQL does not know`;
    if (clock !== localTimeText(atMs, timezone)) {
      return `is ${timezone}, which PostgreSQL takes for an abbreviation with another clock: name the place, such as Europe/Paris`;
    }
  }
  return null;
}

const vendorKey = ({
  brand,
  vendor_plant_id,
}: Pick<TakenPlant, 'brand' | 'vendor_plant_id'>): string => `${brand} ${vendor_plant_id}`;

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
