import { AdapterError, UnusableCredentials } from '../../adapters/clouds/adapter-error.ts';
import type { Credentials, PlantRef, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { Brand, FailureScope } from '../../domain/plants/plant.ts';
import type { CredentialsFault, VendorFailure } from '../../domain/plants/reading.ts';
import type { SealedCredentials } from '../../db/plants/credentials.ts';
import type { PlantRow } from '../../db/plants/plants.ts';
import { type MasterKeys, openCredentials } from '../../db/sealing.ts';

/** Opens the adapter of a vendor account: with its credentials, its session, and the rate limits that the vendor named. */

/** A plant as adapters know it, and its place, which recorded vendors need. */
export interface VendorPlant extends PlantRef {
  brand: Brand;
  accountId: string;
  capacityKw: number | null;
  latitude: number | null;
  longitude: number | null;
}

/** Makes the adapter of one call chain. The composition root gives it: so far always one over recorded vendors. */
export type OpenAdapter = (options: {
  brand: Brand;
  plant: Omit<VendorPlant, 'brand' | 'accountId'>;
  credentials: Credentials;
  session: SessionStore;
  now: Date;
  signal: AbortSignal;
}) => VendorAdapter;

/** Vendors count their limits by path: a limit of series, which may last for an hour, must not stop polls. */
type Path = 'getPlantSummary' | 'getDailyEnergySeries' | 'getAlarmsSince';

/** What this process knows of a vendor account. */
interface AccountState {
  session: SessionStore;
  credentialsVersion: number;
  /** The vendor's rate limits of paths: when each ends, ms since the epoch, and what it is about. */
  closed: Map<Path, { untilMs: number; scope: FailureScope }>;
}

/** No request was made: the account has no credentials, or a rate limit closes its path. */
export class NotAsked extends AdapterError {}

class NoCredentials extends NotAsked {}

/** No request was made: all polling is stopped. */
export class Halted extends NotAsked {}

/** The length of a rate limit for which the vendor names no end. */
const rateLimitMsDefault = 60_000;

export interface Vendors {
  /**
   * Opens the account's credentials for one call chain; nothing else opens any. They go into the adapter, never into a
   * result, an error or a log.
   *
   * @throws AdapterError as the adapter says, NotAsked.
   */
  withVendor<Result>(
    plant: VendorPlant,
    sealed: SealedCredentials | null,
    call: { nowMs: number; signal: AbortSignal },
    run: (adapter: VendorAdapter) => Promise<Result>,
  ): Promise<Result>;
}

/** @param deps.isHalted whether all polling is stopped; default: it never is. */
export function createVendors(deps: {
  masterKeys: MasterKeys;
  openAdapter: OpenAdapter;
  isHalted?: () => Promise<boolean>;
}): Vendors {
  const { isHalted = async () => false } = deps;
  const accounts = new Map<string, AccountState>();

  /** New credentials begin anew: without a session, without a closed path. */
  function stateOf(accountId: string, credentialsVersion: number): AccountState {
    const known = accounts.get(accountId);
    if (known?.credentialsVersion === credentialsVersion) return known;
    const fresh = { session: new SessionStore(), credentialsVersion, closed: new Map() };
    accounts.set(accountId, fresh);
    return fresh;
  }

  return {
    async withVendor(plant, sealed, { nowMs, signal }, run) {
      const { accountId, brand } = plant;
      if (sealed === null)
        throw new NoCredentials(
          'AUTH_FAILED',
          'ACCOUNT',
          `account ${accountId} has no credentials yet`,
        );
      const account = stateOf(accountId, sealed.version);
      const credentials = openCredentials(deps.masterKeys, sealed);
      const { session } = account;
      const now = new Date(nowMs);
      const adapter = deps.openAdapter({ brand, plant, credentials, session, now, signal });
      return run(gated(adapter, account, { nowMs, isHalted }));
    },
  };
}

/** When it is worth to ask again, ms: nobody knows when people lift a halt. */
const haltedRetryAfterMs = 60_000;

/** The adapter behind the account's gates: a halt closes every path, a rate limit its own until it ends. */
function gated(
  adapter: VendorAdapter,
  account: AccountState,
  { nowMs, isHalted }: { nowMs: number; isHalted: () => Promise<boolean> },
): VendorAdapter {
  async function pass<Result>(path: Path, ask: () => Promise<Result>): Promise<Result> {
    if (await isHalted())
      throw new Halted(
        'RATE_LIMIT_EXCEEDED',
        'CLOUD',
        'not asked: all polling is stopped; `heliograph polling start --all` lifts it',
        { retryAfterMs: haltedRetryAfterMs },
      );
    const closed = account.closed.get(path);
    const retryAfterMs = (closed?.untilMs ?? 0) - nowMs;
    if (closed !== undefined && retryAfterMs > 0)
      throw new NotAsked(
        'RATE_LIMIT_EXCEEDED',
        closed.scope,
        `the vendor's rate limit closes this path of the account for another ${Math.ceil(retryAfterMs / 1000)} s`,
        { retryAfterMs },
      );
    try {
      return await ask();
    } catch (error) {
      if (error instanceof AdapterError && error.type === 'RATE_LIMIT_EXCEEDED') {
        const untilMs = nowMs + (error.retryAfterMs ?? rateLimitMsDefault);
        account.closed.set(path, { untilMs, scope: error.scope });
      }
      throw error;
    }
  }
  return {
    capabilities: () => adapter.capabilities(),
    testConnection: () => adapter.testConnection(),
    getPlantSummary: (plant) => pass('getPlantSummary', () => adapter.getPlantSummary(plant)),
    getDailyEnergySeries: (plant, from, to) =>
      pass('getDailyEnergySeries', () => adapter.getDailyEnergySeries(plant, from, to)),
    getAlarmsSince: (plant, since) =>
      pass('getAlarmsSince', () => adapter.getAlarmsSince(plant, since)),
  };
}

/** Why a refused account is not asked during an incident of its brand. */
export function credentialsHeld(brand: Brand): string {
  return `not asked: ${brand} refuses the credentials of several accounts at once, and one plant an hour tries them`;
}

/** A vendor's error as a value; null for any other error. */
export function vendorFailure(error: unknown): VendorFailure | null {
  if (!(error instanceof AdapterError)) return null;
  const { type, scope, certain, message, retryAfterMs } = error;
  const fault = credentialsFault(error);
  return {
    type,
    scope,
    ...(certain ? {} : { certain }),
    message,
    ...(fault === null ? {} : { credentials: fault }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

function credentialsFault(error: AdapterError): CredentialsFault | null {
  if (error instanceof NoCredentials) return 'MISSING';
  return error instanceof UnusableCredentials ? 'UNUSABLE' : null;
}

export function vendorPlant(row: PlantRow): VendorPlant {
  return {
    brand: row.brand,
    accountId: row.vendor_account_id,
    vendorPlantId: row.vendor_plant_id,
    timezone: row.timezone,
    capacityKw: row.installed_capacity_kw,
    latitude: row.latitude,
    longitude: row.longitude,
  };
}
