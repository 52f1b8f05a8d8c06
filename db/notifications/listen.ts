import { type Db, query } from '../database.ts';
import { listen, type Listener } from '../listen.ts';

/** Hears at once when somebody writes a notification, or changes who is told. */

/** After a lost connection the next one is tried so much later; until then the senders look every ten seconds anyway. */
const reconnectMs = 10_000;
/** Many commits within this time are heard once. */
const gatherMs = 250;

/** Whoever sends looks at once, after the commit. */
export async function wakeSenders(trx: Db): Promise<void> {
  await query(trx)`select pg_notify('notifications', '')`;
}

/** @param heard is called after commits that wrote notifications, at most four times a second; what it throws is `failed`. */
export function listenForNotifications(
  url: string,
  heard: () => Promise<void>,
  failed: (error: unknown) => void,
): Listener {
  let gathering: NodeJS.Timeout | null = null;

  function gather(): void {
    gathering ??= setTimeout(() => {
      gathering = null;
      heard().catch(failed);
    }, gatherMs);
  }

  const listener = listen({
    url,
    applicationName: 'heliograph notifications',
    channels: ['notifications'],
    heard: gather,
    // What was written meanwhile.
    connected: gather,
    failed,
    reconnectMs,
  });
  return {
    async close() {
      if (gathering !== null) clearTimeout(gathering);
      await listener.close();
    },
  };
}
