import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';

import { loadPresets } from '../../adapters/modbus/presets.ts';
import { readAllNotices } from '../../activities/notice-readers.ts';
import { isServiceError } from '../../db/service-error.ts';
import { createApp, type App } from '../../api/app.ts';
import { hashPassword } from '../../api/auth/passwords.ts';
import { issueToken } from '../../api/auth/tokens.ts';
import type { ApiDeps } from '../../api/deps.ts';
import { openTemporal } from '../../environment/temporal.ts';
import { diskReader } from '../../operations/disks.ts';
import { findUserByEmail, insertUser } from '../../db/people/users.ts';
import type { Database, Role } from '../../db/tables.ts';
import type { Kysely } from 'kysely';
import { createTestDatabase, type TestDatabase } from './database.ts';

/** The API in this process, on a database of its own; no socket. */
export interface TestApi {
  db: Kysely<Database>;
  app: App;
  deps: ApiDeps;
  /** Everything that was logged: `{ level, message, …fields }`. */
  logged: Record<string, unknown>[];
  /** The time that the API sees; set it to go on. */
  clock: { nowMs: number };
  /** Makes a user, once; the password is `passwordOf(email)`. */
  user(email: string, role: Role, options?: TestUserOptions): Promise<void>;
  /** A request with the user's token, who is made as an ADMIN, OPERATOR or CUSTOMER by the name before the @ (`admin@x`). */
  ask(
    email: string | null,
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Response>;
  close(): Promise<void>;
}

export const testCredentialForms: ApiDeps['credentialForms'] = {
  SOLIS: { credentialFields: ['key_id', 'key_secret'] },
  HUAWEI: { credentialFields: ['username', 'system_code'] },
  GOODWE: {
    credentialFields: ['account', 'password'],
    credentialChoices: [{ field: 'portal', values: ['SEMS', 'SEMS_PLUS'], usual: 'SEMS_PLUS' }],
  },
  DELE: { credentialFields: ['app_id', 'app_secret'] },
};

export interface TestUserOptions {
  customerId?: string;
  mustChangePassword?: boolean;
}

export function passwordOf(email: string): string {
  return `password of ${email}`;
}

/** One hash for all tests that do not sign in by password: bcrypt takes its time. */
let hashOfMany: Promise<string> | null = null;

/** @param given replaces single dependencies: the database and the Temporal client of a test fleet, say, which stay open. */
export async function createTestApi(given: Partial<ApiDeps> = {}): Promise<TestApi> {
  const database = given.db === undefined ? await createTestDatabase() : null;
  const db = given.db ?? (database as TestDatabase).db;
  const logged: Record<string, unknown>[] = [];
  const logAs = (level: string) => (fields: object, message: string) =>
    void logged.push({ level, message, ...fields });
  const clock = { nowMs: Date.now() };
  const deps: ApiDeps = {
    db,
    readDb: db,
    temporal: openTemporal({
      TEMPORAL_ADDRESS: '127.0.0.1:9',
      TEMPORAL_NAMESPACE: 'default',
      dataDir: '',
    }),
    askRedis: null,
    readDisks: diskReader([tmpdir()]),
    seal: () => ({
      keyVersion: 'test',
      iv: randomBytes(12),
      sealed: randomBytes(64),
    }),
    credentialForms: testCredentialForms,
    credentialProblem: () => null,
    testConnection: async () => ({ ok: true, errorType: null, message: 'signed in' }),
    isServiceError,
    clock: () => clock.nowMs,
    log: {
      debug: logAs('debug'),
      info: logAs('info'),
      warn: logAs('warn'),
      error: logAs('error'),
    },
    jwtKey: randomBytes(32).toString('base64'),
    publicUrl: null,
    trustedProxies: 0,
    metricsToken: null,
    temporalUiUrl: null,
    readTitles: readAllNotices,
    testMessageMs: 0,
    gatewayPollMs: 0,
    pollIntervalS: 600,
    gatewayShards: 4,
    gatewayPresets: loadPresets(),
    statusProfile: 'STRICT',
    version: '0.0.0-test',
    ...given,
  };
  const app = createApp(deps);

  async function user(email: string, role: Role, options: TestUserOptions = {}): Promise<void> {
    const passwordHash = await (hashOfMany ??= hashPassword('nobody signs in with this'));
    await insertUser(
      deps.db,
      {
        email,
        passwordHash,
        role,
        customerId: role === 'CUSTOMER' ? (options.customerId ?? 'noord') : null,
        mustChangePassword: options.mustChangePassword ?? false,
      },
      { actor: 'test', requestId: null },
      new Date(),
    );
  }

  return {
    db,
    app,
    deps,
    logged,
    clock,
    user,
    async ask(email, method, path, body, headers) {
      return app.request(path, {
        method,
        headers: {
          ...(email === null
            ? {}
            : { authorization: `Bearer ${await tokenOf(deps, user, email)}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
    },
    async close() {
      if (given.temporal === undefined) await deps.temporal.connection.close();
      await database?.drop();
    },
  };
}

async function tokenOf(deps: ApiDeps, user: TestApi['user'], email: string): Promise<string> {
  let row = await findUserByEmail(deps.db, email);
  if (row === undefined) {
    const role = (email.split('@')[0] ?? '').toUpperCase();
    if (role !== 'ADMIN' && role !== 'OPERATOR' && role !== 'CUSTOMER')
      throw new Error(`make the user ${email} first`);
    await user(email, role);
    row = await findUserByEmail(deps.db, email);
  }
  if (row === undefined) throw new Error(`there is no user ${email}`);
  const who = { userId: row.id, sessionVersion: row.session_version };
  return (await issueToken(deps, who, deps.clock())).token;
}

/** Gives a user `passwordOf(email)`: for the tests that sign in by password. */
export async function givePassword(api: TestApi, email: string): Promise<void> {
  await api.db
    .updateTable('users')
    .set({ password_hash: await hashPassword(passwordOf(email)) })
    .where('email', '=', email)
    .execute();
}
