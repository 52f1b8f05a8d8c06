import pg from 'pg';

import { type Db, query } from '../database.ts';

/** Hears at once when somebody writes a notification, or changes who is told. */

/** After a lost connection the next one is tried so much later; until then the senders look every ten seconds anyway. */
const reconnectMs = 10_000;
/** Many commits within this time are heard once. */
const gatherMs = 250;

/** Whoever sends looks at once, after the commit. */
export async function wakeSenders(trx: Db): Promise<void> {
  await query(trx)`select pg_notify('notifications', '')`;
}

export interface Listener {
  close(): Promise<void>;
}

/** @param heard is called after commits that wrote notifications, at most four times a second; what it throws is `failed`. */
export function listenForNotifications(
  url: string,
  heard: () => Promise<void>,
  failed: (error: unknown) => void,
): Listener {
  let client: pg.Client | null = null;
  let timer: NodeJS.Timeout | null = null;
  let gathering: NodeJS.Timeout | null = null;
  let isClosed = false;

  function gather(): void {
    gathering ??= setTimeout(() => {
      gathering = null;
      heard().catch(failed);
    }, gatherMs);
  }

  function connectLater(): void {
    if (isClosed || timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      void connect();
    }, reconnectMs);
  }

  async function connect(): Promise<void> {
    const opened = new pg.Client({
      connectionString: url,
      application_name: 'heliograph notifications',
      connectionTimeoutMillis: reconnectMs,
    });
    client = opened;
    // A connection that is lost says so by either event.
    opened.on('error', () => {});
    opened.on('end', connectLater);
    opened.on('notification', gather);
    try {
      await opened.connect();
      await opened.query('listen notifications');
      // What was written meanwhile.
      gather();
    } catch (error) {
      failed(error);
      connectLater();
    }
  }

  void connect();
  return {
    async close() {
      isClosed = true;
      for (const one of [timer, gathering]) if (one !== null) clearTimeout(one);
      await client?.end().catch(() => {});
    },
  };
}
