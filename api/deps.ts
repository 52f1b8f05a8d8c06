import type { Client } from '@temporalio/client';
import type { Kysely } from 'kysely';

import type { Sealed, SealedPlace } from '../db/sealing.ts';
import type { Database } from '../db/tables.ts';
import type { Preset } from '../domain/gateways/preset.ts';
import type { CredentialForm } from '../domain/plants/credential-form.ts';
import type { AdapterErrorType, Brand } from '../domain/plants/plant.ts';
import type { StatusProfile } from '../domain/daylight.ts';
import type { Services } from '../operations/diagnosis.ts';
import type { ReadDisks } from '../operations/disks.ts';
import type { ReadTitles } from '../operations/notifications/titles.ts';

/** The part of a structured log that the API uses: fields first, a constant message. */
export interface ApiLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A vendor's answer to a login with the given credentials. `message` is one sentence, redacted. */
export interface ConnectionAnswer {
  ok: boolean;
  errorType: AdapterErrorType | null;
  message: string;
}

/** Credentials as a person enters them. Never stored unsealed, logged or returned. */
export type OpenedCredentials = Readonly<Record<string, string>>;

/** The state of Redis; `evictionPolicy` is null if Redis does not report it. */
export interface RedisAnswer {
  evictionPolicy: string | null;
}

/** All dependencies of the API; `cli/api.ts` supplies them. */
export interface ApiDeps {
  db: Kysely<Database>;
  /**
   * A pool of its own for what pages and lists read, so that many of them at once keep nobody from signing in or acting. It
   * may be `db`.
   */
  readDb: Kysely<Database>;
  /** Connects when first used and again after an outage; its calls fail with ServiceError while Temporal is away. */
  temporal: Client;
  /** null if no Redis is configured. Rejects while Redis is away. */
  askRedis: (() => Promise<RedisAnswer>) | null;
  /** Every lock of one kind; absent: no Redis is configured. */
  listLocks?: NonNullable<Services['listLocks']>;
  /** Space on the disks of the watched folders. */
  readDisks: ReadDisks;
  /** Seals secrets for the row that keeps them, with the current master key. */
  seal: (place: SealedPlace, secrets: Readonly<Record<string, string>>) => Sealed;
  /** What each brand's login needs. */
  credentialForms: Readonly<Record<Brand, CredentialForm>>;
  /** Why no request can be made with credentials that have all fields of the brand; null if one can. */
  credentialProblem: (brand: Brand, credentials: OpenedCredentials) => string | null;
  /** Logs in at the vendor; never throws. */
  testConnection: (vendor: {
    brand: Brand;
    vendorPlantId: string;
    timezone: string;
    credentials: OpenedCredentials;
  }) => Promise<ConnectionAnswer>;
  /** Whether the error says that PostgreSQL is away or busy, so that asking again later can help. */
  isServiceError: (error: unknown) => boolean;
  /** ms since the epoch. */
  clock: () => number;
  log: ApiLog;
  /** Signs tokens and sessions (HS256): at least 32 random bytes, in base64. */
  jwtKey: string;
  /** URL at which people reach the API, if it differs from the listening address; with https, cookies are Secure. No slash at the end. */
  publicUrl: string | null;
  /** Number of trusted proxies in front of the API that append to X-Forwarded-For; 0: the header is ignored. */
  trustedProxies: number;
  /** Lets a scraper read the metrics; null: only operators, and clients on the same machine. */
  metricsToken: string | null;
  temporalUiUrl: string | null;
  /** Puts rows of the outbox into words, whatever their subject. */
  readTitles: ReadTitles;
  /** How long a request waits for what becomes of a test message, ms. */
  testMessageMs: number;
  /** How long a request waits for the walker of a gateway, ms. */
  gatewayPollMs: number;
  /** Polling interval of new plants. */
  pollIntervalS: number;
  /** Status profile of new plants whose place is known. */
  statusProfile: StatusProfile;
  /** Among how many shards the gateways are shared. */
  gatewayShards: number;
  /** The presets that gateways may name. */
  gatewayPresets: ReadonlyMap<string, Preset>;
  version: string;
}
