import { Kysely, PostgresDialect, type RawBuilder, sql, type Transaction } from 'kysely';
import pg from 'pg';

import type { Database } from './tables.ts';

/** Opens the database and runs statements on it. */

/** Queries take either: the caller owns the transaction. */
export type Db = Kysely<Database> | Transaction<Database>;

/** Ten pollers of four brands need few connections: a poll holds one for about a millisecond at a time. */
const poolSizeDefault = 10;
/** Longer than any of our statements takes; after this time a lost server is noticed. */
const statementTimeoutMs = 15_000;
const connectTimeoutMs = 5_000;

const typeIds = { int8: 20, date: 1082 } as const;

/**
 * The beginning of a statement that PostgreSQL plans once per connection instead of at every call. The two statements of an
 * ordinary poll take longer to plan than to run: prepared, a poll costs PostgreSQL 0.56 ms of CPU instead of 1.07 ms
 * (docs/decisions/0010). kysely gives its driver only text and parameters, so the text carries the name, and the client
 * below reads it.
 */
const preparedMark = /^\s*\/\* prepared ([a-z-]+) \*\//;

/**
 * Marks a statement that PostgreSQL plans once per connection. The statement's text must not vary; its parameters may.
 *
 * @param name lower-case letters and hyphens, unique for each such statement.
 */
export function prepared(name: string): RawBuilder<unknown> {
  return sql.raw(`/* prepared ${name} */`);
}

/** A client that sends marked statements under their name. */
class PreparingClient extends pg.Client {}
PreparingClient.prototype.query = function (this: pg.Client, text: unknown, ...rest: unknown[]) {
  const name = typeof text === 'string' ? preparedMark.exec(text)?.[1] : undefined;
  const [values, callback] = rest;
  const words = name === undefined ? [text, ...rest] : [{ name, text, values }, callback];
  return (pg.Client.prototype.query as (...words: unknown[]) => unknown).apply(this, words);
} as typeof pg.Client.prototype.query;

/**
 * Opens a pool. Sets parsers on this pool alone: int8 → number (all our int8 stay below 2^53), date → `YYYY-MM-DD` text.
 *
 * @param genericPlans for a worker: one plan serves every execution of the loop's statements, and planning costs more than
 * running them.
 * @param onError is called for each idle connection that the server ends; the next use replaces it.
 */
export function openDatabase(options: {
  url: string;
  poolSize?: number;
  genericPlans?: boolean;
  onError?: (error: Error) => void;
}): Kysely<Database> {
  const pool = new pg.Pool({
    Client: PreparingClient,
    ...(options.genericPlans === true && { options: '-c plan_cache_mode=force_generic_plan' }),
    connectionString: options.url,
    max: options.poolSize ?? poolSizeDefault,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    application_name: 'heliograph',
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') => {
        if (oid === typeIds.int8) return Number;
        if (oid === typeIds.date) return (text: string) => text;
        return format === 'binary'
          ? pg.types.getTypeParser(oid, 'binary')
          : pg.types.getTypeParser(oid, 'text');
      },
    },
  });
  // Without a listener an ended idle connection would end the process.
  pool.on('error', (error) => options.onError?.(error));
  // So would one that ends between two statements of a transaction; its next statement fails and says so.
  pool.on('connect', (client) => client.on('error', () => {}));
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/**
 * Runs a statement and gives its rows.
 *
 * @example const plants = await query(db)<{ id: string }>`select id from plants where brand = ${brand}`;
 */
export const query =
  (db: Db) =>
  async <Row>(...statement: Parameters<typeof sql>): Promise<Row[]> =>
    (await sql<Row>(...statement).execute(db)).rows;

/** Runs a statement that always gives a row, such as an aggregate, and gives that row. */
export const queryRow =
  (db: Db) =>
  async <Row>(...statement: Parameters<typeof sql>): Promise<Row> => {
    const [row] = await query(db)<Row>(...statement);
    if (row === undefined) throw new Error('a statement that gives one row gave none');
    return row;
  };

/** `ms` since the epoch as what a timestamptz column takes; null stays null. */
export function instant(ms: number): Date;
export function instant(ms: number | null): Date | null;
export function instant(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

/** `ms` since the epoch as an SQL expression, where PostgreSQL would have to guess the parameter's type. */
export function timestamp(ms: number): RawBuilder<Date> {
  return sql<Date>`${instant(ms)}::timestamptz`;
}

/** A timestamptz as ms since the epoch, within SQL. @example msOf(sql`p.from_at`) */
export function msOf(at: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`round(extract(epoch from ${at}) * 1000)::bigint`;
}

/** What a timestamptz column gives as ms since the epoch; null stays null. */
export function ms(at: Date): number;
export function ms(at: Date | null): number | null;
export function ms(at: Date | null): number | null {
  return at === null ? null : at.getTime();
}
