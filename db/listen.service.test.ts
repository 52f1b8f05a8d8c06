import { sql } from 'kysely';
import { expect, onTestFinished } from 'vitest';

import { eventually } from '../test/support/fleet.ts';
import { database, test } from '../test/support/test-database.ts';
import { listen } from './listen.ts';

/** Notices over a connection that PostgreSQL may end. */

const applicationName = 'listen-test';

function start(reconnectMs: number) {
  const heard: string[] = [];
  let connections = 0;
  const listener = listen({
    url: database.url,
    applicationName,
    channels: ['first', 'Second Channel'],
    heard: (channel, payload) => void heard.push(`${channel}: ${payload}`),
    connected: () => void (connections += 1),
    reconnectMs,
  });
  onTestFinished(() => listener.close());
  return { listener, heard, connections: () => connections };
}

const tell = (channel: string, payload: string) =>
  sql`select pg_notify(${channel}, ${payload})`.execute(database.db);

/** Ends the listener's connections. @returns how many there were. */
async function endConnections(): Promise<number> {
  const { rows } = await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = ${applicationName} and datname = current_database()`.execute(
    database.db,
  );
  return rows.length;
}

const countConnections = async () => {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from pg_stat_activity
    where application_name = ${applicationName} and datname = current_database()`.execute(
    database.db,
  );
  return rows[0]?.n ?? 0;
};

test('notices of its channels are heard, and no others', async () => {
  const { heard, connections } = start(50);
  await eventually('the connection', async () => connections() === 1);
  await tell('other', 'x');
  await tell('first', 'a');
  await tell('Second Channel', '');
  await eventually('the last notice', async () => heard.length >= 2);
  expect(heard).toEqual(['first: a', 'Second Channel: ']);
});

test('after the server ended its connection it connects again, says so, and hears again', async () => {
  const { heard, connections } = start(50);
  await eventually('the connection', async () => connections() === 1);
  for (const n of [2, 3]) {
    expect(await endConnections()).toBe(1);
    await eventually('the next connection', async () => connections() === n);
  }
  await tell('first', 'again');
  await eventually('the notice', async () => heard.length > 0);
  expect(heard).toEqual(['first: again']);
  expect(await countConnections()).toBe(1);
});

test('one that is closed connects no more', async () => {
  const { listener, connections } = start(50);
  await eventually('the connection', async () => connections() === 1);
  await endConnections();
  await listener.close();
  const before = connections();
  await eventually('no connection to be left', async () => (await countConnections()) === 0);
  const other = start(50);
  // The other one began later and waits as long: had the closed one tried again, it would be connected too.
  await eventually('another listener', async () => other.connections() === 1);
  await endConnections();
  await eventually('its next connection', async () => other.connections() === 2);
  expect(connections()).toBe(before);
  expect(await countConnections()).toBe(1);
});
