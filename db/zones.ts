import { sql } from 'kysely';

import { type Db, instant } from './database.ts';

/** SQLSTATE of `at time zone` with a zone that PostgreSQL does not know. */
const invalidParameterValue = '22023';

/**
 * What a zone's clock shows at an instant by PostgreSQL's own database of zones, `2026-06-01 13:40`; null for a zone that
 * it does not know. It must agree with `domain/zone.ts`: queries and rules both make dates. (`CET`, for one, is a place with
 * summer time to Node and an abbreviation without it to PostgreSQL.)
 *
 * Not within a transaction: an unknown zone would end it.
 */
export async function clockInDatabase(
  db: Db,
  timezone: string,
  atMs: number,
): Promise<string | null> {
  try {
    const result = await sql<{ clock: string }>`
      select to_char(${instant(atMs)}::timestamptz at time zone ${timezone}, 'YYYY-MM-DD HH24:MI') as clock`.execute(
      db,
    );
    return result.rows[0]?.clock ?? null;
  } catch (error) {
    if ((error as { code?: unknown }).code === invalidParameterValue) return null;
    throw error;
  }
}
