import type { AdapterErrorType, Brand } from '../../domain/plants/plant.ts';
import type { CredentialForm } from '../../domain/plants/credential-form.ts';
import type { LocalDate } from '../../domain/zone.ts';
import type { AlarmsAnswer, DailyEnergy, PlantSummary } from '../../domain/plants/reading.ts';
import type { SessionStore } from './session.ts';
import type { Transport } from './transport.ts';

/** The plant as an adapter needs it. */
export interface PlantRef {
  vendorPlantId: string;
  /** IANA zone; dates in and out are of this zone. */
  timezone: string;
}

/** The opened credentials of one vendor account; which fields exist is each brand's `CredentialForm`. Never logged. */
export type Credentials = Readonly<Record<string, string>>;

/** What a vendor allows and can say, as data. */
export interface Capabilities {
  /** True when summaries state when they were measured. */
  measurementTime: boolean;
  /** How often alarms are asked. */
  alarmIntervalS: number;
  /** The most days that one `getDailyEnergySeries` call may span. */
  seriesDaysMax: number;
  /** The vendor's request budgets, as data for people who size a fleet; no code enforces them. */
  budgets: readonly RequestBudget[];
}

export interface RequestBudget {
  /** Which calls share the budget, in the vendor's words (`getStationRealKpi`, `every endpoint`). */
  path: string;
  requests: number;
  perS: number;
  scope: 'account' | 'endpoint';
}

export interface ConnectionTest {
  ok: boolean;
  errorType: AdapterErrorType | null;
  /** One sentence for people, redacted. */
  message: string;
}

/**
 * One vendor's cloud, spoken to in its real protocol over an injected transport. An instance serves one call chain of one
 * account: it holds no state of its own; what outlives it is in the session store. Every method but `testConnection`
 * throws `AdapterError`, and nothing else but the abort reason of `deps.signal`.
 */
export interface VendorAdapter {
  capabilities(): Capabilities;
  /** Logs in (or makes the cheapest signed call); never throws. */
  testConnection(): Promise<ConnectionTest>;
  getPlantSummary(plant: PlantRef): Promise<PlantSummary>;
  /** Energy of the days `from` … `to`, both included, in order, at most one entry a date; days unknown to the vendor are absent. */
  getDailyEnergySeries(plant: PlantRef, from: LocalDate, to: LocalDate): Promise<DailyEnergy[]>;
  /** Alarms that were open at or began after `since`, merged per (code, device): open if one is open, first start, worst level. */
  getAlarmsSince(plant: PlantRef, since: Date): Promise<AlarmsAnswer>;
}

export interface AdapterDeps {
  transport: Transport;
  credentials: Credentials;
  session: SessionStore;
  /** The attempt's clock: fixed for the whole call chain, real or virtual. */
  now: Date;
  /** Aborts every request in flight; after it nothing is requested any more. */
  signal: AbortSignal;
}

/** One entry of the registry. */
export interface AdapterDefinition extends CredentialForm {
  brand: Brand;
  /** @throws UnusableCredentials for complete credentials with which no request can be made, such as a host that is not the vendor's. */
  checkCredentials?(credentials: Credentials): void;
  create(deps: AdapterDeps): VendorAdapter;
}
