import pg from 'pg';

/** Hears notices of PostgreSQL (LISTEN) over a connection of its own. */

export interface Listener {
  close(): Promise<void>;
}

export interface ListenOptions<Channel extends string> {
  url: string;
  /** How PostgreSQL's list of connections names it. */
  applicationName: string;
  channels: readonly Channel[];
  heard: (channel: Channel, payload: string) => void;
  /** Called after each connection: what was told meanwhile was not heard. */
  connected: () => void;
  /** Called with what kept it from connecting; absent: nobody is told. */
  failed?: (error: unknown) => void;
  /** After a lost connection the next one is tried so much later, ms. */
  reconnectMs: number;
}

/** Listens until it is closed. */
export function listen<Channel extends string>(options: ListenOptions<Channel>): Listener {
  const { url, applicationName, channels, heard, connected, failed, reconnectMs } = options;
  let client: pg.Client | null = null;
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

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
      application_name: applicationName,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    });
    client = opened;
    // A connection that is lost says so by either event.
    opened.on('error', () => {});
    opened.on('end', connectLater);
    opened.on('notification', ({ channel, payload }) => {
      const known = channels.find((one) => one === channel);
      if (known !== undefined) heard(known, payload ?? '');
    });
    try {
      await opened.connect();
      for (const channel of channels) await opened.query(`listen ${pg.escapeIdentifier(channel)}`);
      connected();
    } catch (error) {
      // Whoever listens also looks now and then.
      failed?.(error);
      await opened.end().catch(() => {});
      connectLater();
    }
  }

  void connect();
  return {
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await client?.end().catch(() => {});
    },
  };
}
