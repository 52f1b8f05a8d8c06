import type { Kysely } from 'kysely';

import { clockText } from '../domain/wording.ts';
import { localDateAt } from '../domain/zone.ts';
import { type Db, instant, queryRow } from './database.ts';
import { codeOf } from './service-error.ts';
import type { Database } from './tables.ts';

/** A winter's and a summer's day on either half of the earth: clocks that agree on both agree on summer time. */
const zoneProbesMs = [Date.UTC(2026, 0, 15, 12), Date.UTC(2026, 6, 15, 12)];

/** SQLSTATE of `at time zone` with a zone that PostgreSQL does not know. */
const invalidParameterValue = '22023';

/**
 * What a zone's clock shows at an instant by PostgreSQL's own database of zones, `2026-06-01 13:40`; null for a zone that
 * it does not know. It must agree with `domain/zone.ts`: queries and rules both make dates. (`CET`, for one, is a place with
 * summer time to Node and an abbreviation without it to PostgreSQL.)
 *
 * Not within a transaction: an unknown zone would end it.
 */
async function clockInDatabase(db: Db, timezone: string, atMs: number): Promise<string | null> {
  try {
    const { clock } = await queryRow(db)<{ clock: string }>`
      select to_char(${instant(atMs)}::timestamptz at time zone ${timezone}, 'YYYY-MM-DD HH24:MI') as clock`;
    return clock;
  } catch (error) {
    if (codeOf(error) === invalidParameterValue) return null;
    throw error;
  }
}

/** Why the zone cannot be a plant's; null where it can. Not within a transaction. */
export async function zoneProblem(db: Kysely<Database>, timezone: string): Promise<string | null> {
  for (const atMs of zoneProbesMs) {
    const clock = await clockInDatabase(db, timezone, atMs);
    if (clock === null) return `is ${timezone}, which PostgreSQL does not know`;
    if (clock !== `${localDateAt(atMs, timezone)} ${clockText(atMs, timezone)}`) {
      return `is ${timezone}, which PostgreSQL takes for an abbreviation with another clock: name the place, such as Europe/Paris`;
    }
  }
  return null;
}
