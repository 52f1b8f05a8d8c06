import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { expect } from 'vitest';

import { reportProblem } from '../../db/problems.ts';
import { seal } from '../../db/sealing.ts';
import { requireMasterKeys } from '../../environment/config.ts';
import { addChannel, addRoute } from '../../operations/notifications/actions.ts';
import { eventually } from '../support/fleet.ts';
import { startMailServer } from '../support/mail-server.ts';
import { fleet, test } from '../support/test-fleet.ts';

/** Whole workers are killed while they send: no message is lost, and none is repeated more often than it was tried. */

const routes = 4;
const recipients = 12;
const messages = routes * recipients;
/** After so many mails the worker that sent them is killed; the last one finishes the rest. */
const deaths = [6, 12, 18, 24];
const mainPath = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** A channel to the server, and routes that tell each of their recipients of everything. */
async function addReceivers(port: number): Promise<void> {
  const act = { db: fleet.db, by: { actor: 'test', requestId: null }, at: new Date() };
  const settings = {
    host: '127.0.0.1',
    port: String(port),
    tls: 'none',
    from: 'sun@heliograph.test',
  };
  const keys = requireMasterKeys(fleet.config);
  const channel = await addChannel(
    act,
    { kind: 'EMAIL', name: 'mail', settings },
    (place, secrets) => seal(keys, place, secrets),
  );
  if ('refusal' in channel) throw new Error(channel.refusal);
  for (let route = 0; route < routes; route += 1) {
    const added = await addRoute(act, {
      name: `route ${route}`,
      channel_id: channel.id,
      recipients: Array.from({ length: recipients }, (_, n) => `r${route}-${n}@example.org`),
    });
    if ('refusal' in added) throw new Error(added.refusal);
  }
}

/** `heliograph worker` in a process of its own, for the queue of notifications. */
function startWorkerProcess(): ChildProcess {
  return spawn(process.execPath, [mainPath, 'worker'], {
    env: { ...fleet.env, WORKER_QUEUES: 'queue:notifications', LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

async function kill(worker: ChildProcess): Promise<void> {
  const ended = once(worker, 'exit');
  worker.kill('SIGKILL');
  await ended;
}

test('a worker that is killed while it sends loses no message, and repeats none that was not tried again', async ({
  onTestFinished,
}) => {
  let worker: ChildProcess | null = null;
  /** How often each message arrived, by its Message-ID. */
  const arrived = new Map<string, number>();
  let mails = 0;
  const waitingDeaths = [...deaths];
  const killed: Promise<void>[] = [];
  function dies(): void {
    if (worker === null || mails < (waitingDeaths[0] ?? Infinity)) return;
    waitingDeaths.shift();
    killed.push(kill(worker));
    worker = null;
  }
  const server = await startMailServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    authOptional: true,
    // Every second worker dies before it has handed its message over,
    onMailFrom(_, __, done) {
      if (waitingDeaths.length % 2 === 1) dies();
      done();
    },
    // every other one between the server's taking it and its hearing of that.
    onData(stream, _, done) {
      let raw = '';
      stream.on('data', (chunk: Buffer) => (raw += chunk.toString('utf8')));
      stream.on('end', () => {
        const id = /^Message-ID: (.*)$/m.exec(raw)?.[1]?.trim() ?? '';
        arrived.set(id, (arrived.get(id) ?? 0) + 1);
        mails += 1;
        if (waitingDeaths.length % 2 === 0) dies();
        done();
      });
    },
  });
  onTestFinished(async () => {
    if (worker !== null) await kill(worker);
    await server.close();
  });
  await addReceivers(server.port);
  await fleet.db.transaction().execute((trx) =>
    reportProblem(
      trx,
      {
        subject: { kind: 'SYSTEM', id: 'polling' },
        code: 'STOPPED',
        severity: 'RED',
        message: 'Monitoring has stopped.',
      },
      Date.now(),
    ),
  );

  for (let death = 0; death < deaths.length; death += 1) {
    worker = startWorkerProcess();
    await eventually(`death ${death + 1}`, async () => killed.length > death, 120_000);
    await killed[death];
  }
  worker = startWorkerProcess();
  await eventually(
    'everything is sent',
    async () => {
      const { open } = await fleet.db
        .selectFrom('deliveries')
        .select(({ fn }) => fn.countAll<number>().as('open'))
        .where('state', '=', 'SENT')
        .executeTakeFirstOrThrow();
      return open === messages;
    },
    240_000,
  );

  const deliveries = await fleet.db.selectFrom('deliveries').select(['id', 'attempts']).execute();
  expect(deliveries).toHaveLength(messages);
  const timesOf = (id: number) => arrived.get(`<heliograph-delivery-${id}@heliograph.test>`) ?? 0;
  const lost = deliveries.filter(({ id }) => timesOf(id) === 0);
  expect(lost).toEqual([]);
  // At most once for each attempt, under one Message-ID.
  expect(deliveries.filter(({ id, attempts }) => timesOf(id) > attempts)).toEqual([]);
  expect(arrived.size).toBe(messages);
  // Each death interrupts one attempt, and two of the four leave a message that had arrived.
  const attempts = deliveries.reduce((sum, one) => sum + one.attempts, 0);
  expect(attempts).toBe(messages + deaths.length);
  expect(mails - messages).toBe(deaths.length / 2);
}, 600_000);
