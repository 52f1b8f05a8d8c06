import { setTimeout as delay } from 'node:timers/promises';

import type { Kysely } from 'kysely';

import { closeProblem, reportProblem } from '../../db/problems.ts';
import { seal } from '../../db/sealing.ts';
import type { Database } from '../../db/tables.ts';
import { type Config, requireMasterKeys } from '../../environment/config.ts';
import { type Act, addChannel, addRoute } from '../../operations/notifications/actions.ts';
import { startMailServer } from '../support/mail-server.ts';
import { patiently } from './ledger.ts';

/** Messages that people are sent during a chaos run: how many arrived, arrived again, or did not. */

/** What the run says of its messages. */
export interface MessagesReport {
  /** Deliveries that are SENT. */
  sent: number;
  /** Deliveries that still wait. */
  waiting: number;
  dead: number;
  /** Mails beyond the first of a delivery, under the same Message-ID: a worker died before it recorded the first. */
  repeated: number;
  /** SENT, and no mail arrived. */
  lost: number;
  /** Arrived more often than they were tried. */
  beyond_attempts: number;
}

const routes = 4;
const recipients = 5;
/** A message of a route gathers what comes within half a minute. */
const sayEveryMs = 10_000;
/** Messages that a killed worker had claimed are free again after a minute. */
const settleMsMax = 120_000;
const lookEveryMs = 1_000;

export interface Mails {
  /** Says no more, waits until nothing waits, and counts. */
  settle(signal: AbortSignal): Promise<MessagesReport>;
  close(): Promise<void>;
}

/** Brings up a mail server with routes to it, and reports problems of the system until it is settled or closed. */
export async function startMails(db: Kysely<Database>, config: Config): Promise<Mails> {
  const server = await startMailServer({ disabledCommands: ['AUTH', 'STARTTLS'] });
  await addReceivers(db, config, server.port);
  const stopping = new AbortController();
  const talking = talk(db, stopping.signal);
  const stop = async () => {
    stopping.abort();
    await talking;
  };
  return {
    async settle(signal) {
      await stop();
      const endsAt = performance.now() + settleMsMax;
      for (;;) {
        const report = await patiently(() => count(db, server.received));
        if (report.waiting === 0 || performance.now() > endsAt) return report;
        await delay(lookEveryMs, undefined, { signal });
      }
    },
    async close() {
      await stop();
      await server.close();
    },
  };
}

async function addReceivers(db: Kysely<Database>, config: Config, port: number): Promise<void> {
  const act: Act = { db, by: { actor: 'chaos', requestId: null }, at: new Date() };
  const keys = requireMasterKeys(config);
  const settings = {
    host: '127.0.0.1',
    port: String(port),
    tls: 'none',
    from: 'chaos@heliograph.test',
  };
  const channel = await addChannel(
    act,
    { kind: 'EMAIL', name: 'chaos', settings },
    (place, secrets) => seal(keys, place, secrets),
  );
  if ('refusal' in channel) throw new Error(`the channel was refused: ${channel.refusal}`);
  for (let route = 0; route < routes; route += 1) {
    const added = await addRoute(act, {
      name: `route ${route}`,
      channel_id: channel.id,
      recipients: Array.from({ length: recipients }, (_, n) => `to-${route}-${n}@heliograph.test`),
      subject_kinds: ['SYSTEM'],
    });
    if ('refusal' in added) throw new Error(`a route was refused: ${added.refusal}`);
  }
}

/** A problem comes, and the one before goes. While PostgreSQL is away nobody can say anything. */
async function talk(db: Kysely<Database>, stop: AbortSignal): Promise<void> {
  for (let n = 0; !stop.aborted; n += 1) {
    const keyOf = (number: number) =>
      ({ subject: { kind: 'SYSTEM', id: `chaos ${number}` }, code: 'SAID' }) as const;
    const message = `Problem ${n} of a chaos run.`;
    await db
      .transaction()
      .execute(async (trx) => {
        await reportProblem(trx, { ...keyOf(n), severity: 'RED', message }, Date.now());
        if (n > 5) await closeProblem(trx, keyOf(n - 6), Date.now());
      })
      .catch(() => {});
    await delay(sayEveryMs, undefined, { signal: stop }).catch(() => {});
  }
}

async function count(
  db: Kysely<Database>,
  received: readonly { raw: string }[],
): Promise<MessagesReport> {
  const arrived = new Map<string, number>();
  for (const { raw } of received) {
    const id = /^Message-ID: <heliograph-delivery-(\d+)@/m.exec(raw)?.[1] ?? '';
    arrived.set(id, (arrived.get(id) ?? 0) + 1);
  }
  const deliveries = await db
    .selectFrom('deliveries')
    .select(['id', 'state', 'attempts'])
    .execute();
  const timesOf = ({ id }: { id: number }) => arrived.get(String(id)) ?? 0;
  const ofState = (...states: string[]) => deliveries.filter(({ state }) => states.includes(state));
  return {
    sent: ofState('SENT').length,
    waiting: ofState('PENDING', 'SENDING', 'FAILED').length,
    dead: ofState('DEAD').length,
    repeated: deliveries.reduce((sum, one) => sum + Math.max(0, timesOf(one) - 1), 0),
    lost: ofState('SENT').filter((one) => timesOf(one) === 0).length,
    beyond_attempts: deliveries.filter((one) => timesOf(one) > one.attempts).length,
  };
}
