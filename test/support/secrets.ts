import { Redis } from 'ioredis';
import type { Client } from '@temporalio/client';
import { type Kysely, sql } from 'kysely';

import type { Database } from '../../db/tables.ts';

/** Where a secret could have gone, as text: every history, every table, every key of Redis. */
export async function placesOf(services: {
  db: Kysely<Database>;
  client: Client;
  redisUrl: string;
  redisKeyPrefix: string;
}): Promise<Map<string, string>> {
  const { db, client, redisUrl, redisKeyPrefix } = services;
  const places = new Map<string, string>();
  for await (const { workflowId, runId } of client.workflow.list()) {
    places.set(
      `history ${workflowId} ${runId}`,
      textOf(await client.workflow.getHandle(workflowId, runId).fetchHistory()),
    );
  }
  const tables = await sql<{
    name: string;
  }>`select tablename as name from pg_tables where schemaname = 'public'`.execute(db);
  for (const { name } of tables.rows) {
    const rows = await sql<{
      row: string;
    }>`select t::text as row from ${sql.table(name)} t`.execute(db);
    places.set(`table ${name}`, rows.rows.map(({ row }) => row).join('\n'));
  }
  places.set('redis', await redisText(redisUrl, redisKeyPrefix));
  return places;
}

/** The places that hold one of the secrets, be it plain, hexadecimal or base64. */
export function placesWith(
  secrets: readonly string[],
  places: ReadonlyMap<string, string>,
): string[] {
  const forms = secrets.flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('hex'),
    Buffer.from(secret)
      .toString('base64')
      .replace(/.{0,4}$/, ''),
  ]);
  return [...places]
    .filter(([, text]) => forms.some((form) => text.includes(form)))
    .map(([place]) => place);
}

/** Every text in a value, the bytes of payloads included. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(textOf).join('\n');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([key, inner]) => `${key} ${textOf(inner)}`)
      .join('\n');
  return String(value);
}

async function redisText(url: string, prefix: string): Promise<string> {
  const redis = new Redis(url);
  const lines: string[] = [];
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 500 })) {
    for (const key of keys as string[]) lines.push(`${key} ${await redis.get(key)}`);
  }
  await redis.quit();
  return lines.join('\n');
}
