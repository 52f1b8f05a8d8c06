import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type { Credentials, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { Brand } from '../../domain/plants/plant.ts';
import type { VendorFailure } from '../../domain/plants/reading.ts';
import type { SealedCredentials } from '../../db/plants/credentials.ts';
import type { PlantRow } from '../../db/plants/plants.ts';
import { type MasterKeys, openCredentials } from '../../db/sealing.ts';

/** What an adapter must know of a plant, and the fixtures of the place it stands at. */
export interface VendorPlant {
  plantId: string;
  brand: Brand;
  accountId: string;
  vendorPlantId: string;
  timezone: string;
  capacityKw: number | null;
  latitude: number | null;
  longitude: number | null;
}

/** Makes the adapter of one call chain. Given by the composition root: in this phase always over the fixtures. */
export type OpenAdapter = (options: {
  brand: Brand;
  plant: Pick<VendorPlant, 'vendorPlantId' | 'timezone' | 'capacityKw' | 'latitude' | 'longitude'>;
  credentials: Credentials;
  session: SessionStore;
  now: Date;
  signal: AbortSignal;
}) => VendorAdapter;

/** Vendors count their limits by path: a series that is refused for an hour must not blind the polls. */
type Path = 'getPlantSummary' | 'getDailyEnergySeries' | 'getAlarmsSince';

/** What this process knows of a vendor account: its session, and until when the vendor wants which path to be left alone. */
interface AccountState {
  session: SessionStore;
  credentialsVersion: number;
  closedUntilMs: Map<Path, number>;
}

/** The vendor wants the account's path to be left alone: no request was made. */
export class PathClosed extends Error {
  override readonly name = 'PathClosed';
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(
      `the vendor's rate limit closes this path of the account for another ${Math.ceil(retryAfterMs / 1000)} s`,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** The account has no credentials yet. */
export class NoCredentials extends Error {
  override readonly name = 'NoCredentials';
}

/** Where a rate limit names no end. */
const rateLimitMsDefault = 60_000;

export interface Vendors {
  /**
   * Opens the account's credentials for one call chain, and nothing else opens any: they go into the adapter, never into a
   * result, an error or a log.
   *
   * @throws AdapterError as the adapter says, PathClosed, NoCredentials.
   */
  withVendor<Result>(
    plant: VendorPlant,
    sealed: SealedCredentials | null,
    call: { nowMs: number; signal: AbortSignal },
    run: (adapter: VendorAdapter) => Promise<Result>,
  ): Promise<Result>;
}

export function createVendors(deps: { masterKeys: MasterKeys; openAdapter: OpenAdapter }): Vendors {
  const accounts = new Map<string, AccountState>();

  function stateOf(accountId: string, credentialsVersion: number): AccountState {
    const known = accounts.get(accountId);
    if (known !== undefined && known.credentialsVersion === credentialsVersion) return known;
    // New credentials begin anew: no session, no closed path.
    const fresh: AccountState = {
      session: new SessionStore(),
      credentialsVersion,
      closedUntilMs: new Map(),
    };
    accounts.set(accountId, fresh);
    return fresh;
  }

  return {
    async withVendor(plant, sealed, call, run) {
      if (sealed === null)
        throw new NoCredentials(`account ${plant.accountId} has no credentials yet`);
      const account = stateOf(plant.accountId, sealed.version);
      const adapter = deps.openAdapter({
        brand: plant.brand,
        plant,
        credentials: openCredentials(deps.masterKeys, sealed),
        session: account.session,
        now: new Date(call.nowMs),
        signal: call.signal,
      });
      return run(gated(adapter, account, call.nowMs));
    },
  };
}

/** The adapter behind the account's gates: a rate limit closes its path until it ends. */
function gated(adapter: VendorAdapter, account: AccountState, nowMs: number): VendorAdapter {
  async function pass<Result>(path: Path, ask: () => Promise<Result>): Promise<Result> {
    const restMs = (account.closedUntilMs.get(path) ?? 0) - nowMs;
    if (restMs > 0) throw new PathClosed(restMs);
    try {
      return await ask();
    } catch (error) {
      if (error instanceof AdapterError && error.type === 'RATE_LIMIT_EXCEEDED') {
        account.closedUntilMs.set(path, nowMs + (error.retryAfterMs ?? rateLimitMsDefault));
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

/** Why a refused account is not asked while its brand refuses many. */
export function credentialsHeld(brand: Brand): string {
  return `not asked: ${brand} refuses the credentials of several accounts at once, and one plant an hour tries them`;
}

/** A vendor's error as a value; null for any other error. */
export function vendorFailure(error: unknown): VendorFailure | null {
  if (error instanceof PathClosed) {
    return {
      type: 'RATE_LIMIT_EXCEEDED',
      message: error.message,
      retryAfterMs: error.retryAfterMs,
    };
  }
  if (error instanceof NoCredentials) return { type: 'AUTH_FAILED', message: error.message };
  if (!(error instanceof AdapterError)) return null;
  return {
    type: error.type,
    message: error.message,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

/** The plant as the adapters' side wants it. */
export function vendorPlant(row: PlantRow): VendorPlant {
  return {
    plantId: row.id,
    brand: row.brand,
    accountId: row.vendor_account_id,
    vendorPlantId: row.vendor_plant_id,
    timezone: row.timezone,
    capacityKw: row.installed_capacity_kw,
    latitude: row.latitude,
    longitude: row.longitude,
  };
}
