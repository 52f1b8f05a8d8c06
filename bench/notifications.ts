import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

import { type Kysely, sql } from 'kysely';

import { generatedPlant } from '../cli/demo/fleet.ts';
import { seal } from '../db/sealing.ts';
import type { Database } from '../db/tables.ts';
import { requireMasterKeys } from '../environment/config.ts';
import { type Act, addChannel, addRoute, sendTest } from '../operations/notifications/actions.ts';
import { startMailCatcher } from '../stack/mail/catcher.ts';
import { alignedText, runBench, say, wholeNumber } from './command.ts';
import { addPlants, type BenchFleet, startFleet } from './fleet.ts';
import { countProgress, type Lateness, readLatenessOf, readVersions, rounded } from './readings.ts';
import { type BenchWorker, startBenchWorker } from './worker.ts';

/**
 * `npm run bench:notifications -- [--plants N] [--interval S] [--notifications N] [--seconds S] [--rounds N] [--json FILE]`:
 * whether polls are later while notifications are sent. Plants are polled by the production worker on a stack of its own. In
 * one run, times in which nothing is said follow times in which N notifications become N mails at a real SMTP server; every
 * second round has the opposite order, so that a machine that grows slower or faster counts for both alike.
 */

interface Arguments {
  plants: number;
  intervalS: number;
  notifications: number;
  seconds: number;
  rounds: number;
  jsonFile: string | null;
}

/** As many as a route may have. */
const recipientsOfRoute = 50;
/** Notifications come in so many transactions, one each second. */
const bursts = 10;
const lookEveryMs = 500;
/** Sending fails when it takes so many times the time of its phase. */
const patience = 10;
const warmUpMsMax = 300_000;
/** A new kind of channel and a worker that has just started. */
const testMsMax = 120_000;

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      plants: { type: 'string', default: '250' },
      interval: { type: 'string', default: '15' },
      notifications: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '90' },
      rounds: { type: 'string', default: '2' },
      json: { type: 'string' },
    },
  });
  const whole = (name: Exclude<keyof typeof values, 'json'>, max: number) =>
    wholeNumber(name, values[name], max);
  return {
    plants: whole('plants', 100_000),
    intervalS: whole('interval', 86_400),
    notifications: whole('notifications', 100_000),
    seconds: whole('seconds', 86_400),
    rounds: whole('rounds', 99),
    jsonFile: values.json ?? null,
  };
}

type PhaseKind = 'quiet' | 'sending';

interface Phase {
  kind: PhaseKind;
  fromMs: number;
  toMs: number;
  mails: number;
  /** From the first notification to the last mail, s; null: nothing was sent. */
  sent_within_s: number | null;
  lateness: Lateness | null;
}

interface Running {
  fleet: BenchFleet;
  worker: BenchWorker;
  args: Arguments;
  signal: AbortSignal;
}

const customerOf = (route: number): string => `told-${route}`;

/** The plants of which is told: nobody polls them, so that no poll is later because of its own alert. */
async function addTold({ db, config }: BenchFleet, args: Arguments): Promise<string[]> {
  const routes = Math.ceil(args.notifications / recipientsOfRoute);
  const plants = Array.from({ length: args.notifications }, (_, n) => ({
    ...generatedPlant(args.plants + n),
    customer_id: customerOf(n % routes),
    active: false,
  }));
  await addPlants(db, config, plants, args.intervalS);
  return plants.map(({ id }) => id);
}

/** A channel to the catcher, and for each fifty notifications a route with fifty recipients: a mail for each notification. */
async function addRoutes(
  { db, config }: BenchFleet,
  smtpPort: number,
  notifications: number,
): Promise<number> {
  const act: Act = { db, by: { actor: 'bench', requestId: null }, at: new Date() };
  const keys = requireMasterKeys(config);
  const settings = {
    host: '127.0.0.1',
    port: String(smtpPort),
    tls: 'none',
    from: 'bench@heliograph.test',
  };
  const channel = await addChannel(
    act,
    { kind: 'EMAIL', name: 'catcher', settings },
    (place, secrets) => seal(keys, place, secrets),
  );
  if ('refusal' in channel) throw new Error(`the channel was refused: ${channel.refusal}`);
  for (let route = 0; route * recipientsOfRoute < notifications; route += 1) {
    const count = Math.min(recipientsOfRoute, notifications - route * recipientsOfRoute);
    const added = await addRoute(act, {
      name: customerOf(route),
      channel_id: channel.id,
      recipients: Array.from({ length: count }, (_, n) => `to-${route}-${n}@heliograph.test`),
      customer_ids: [customerOf(route)],
    });
    if ('refusal' in added) throw new Error(`a route was refused: ${added.refusal}`);
  }
  return channel.id;
}

/** Waits until the worker has sent a test message, and every plant was polled twice: its first poll is not an ordinary one. */
async function warmUp({ fleet, worker, args, signal }: Running, channelId: number): Promise<void> {
  const act: Act = { db: fleet.db, by: { actor: 'bench', requestId: null }, at: new Date() };
  const test = { channelId, to: 'test@heliograph.test' };
  const tested = await Promise.race([sendTest(act, test, testMsMax), worker.ended]);
  if ('refusal' in tested || tested.state !== 'SENT')
    throw new Error(`the test message was not sent: ${JSON.stringify(tested)}`);
  for (const sinceMs of [0, Date.now()]) {
    const endsAt = performance.now() + warmUpMsMax;
    for (;;) {
      const { plants } = await countProgress(fleet, sinceMs);
      if (plants >= args.plants) break;
      if (performance.now() > endsAt) throw new Error(`only ${plants} plants were polled`);
      say(`  warming up: ${plants} of ${args.plants} plants`);
      await Promise.race([delay(2_000, undefined, { signal }), worker.ended]);
    }
  }
}

/** Raises an alert of each plant, with its notification, in one transaction. @param code tells the phases apart. */
async function raise(
  db: Kysely<Database>,
  plantIds: readonly string[],
  code: string,
): Promise<void> {
  await sql`
    with raised as (
      insert into alerts (plant_id, type, vendor_alarm_code, severity, state, message, started_at, last_seen_at)
      select id, 'MOCK_FAULT', ${code}, 'RED', 'NEW', 'The bench says that it does not answer.', now(), now()
      from unnest(${[...plantIds]}::text[]) id returning id, plant_id)
    insert into notifications (subject_kind, subject_id, alert_id, kind, is_end, severity, created_at, not_before)
    select 'PLANT', plant_id, id, 'RAISED', false, 'RED', now(), now() from raised`.execute(db);
}

async function countSent(db: Kysely<Database>): Promise<number> {
  const { sent } = await db
    .selectFrom('deliveries')
    .select(({ fn }) => fn.countAll<number>().as('sent'))
    .where('state', '=', 'SENT')
    .executeTakeFirstOrThrow();
  return sent;
}

/** Says everything, and waits until all of it is sent. @returns how long that took, s. */
async function sendAll(
  { fleet, worker, args, signal }: Running,
  told: readonly string[],
  code: string,
): Promise<number> {
  const { db } = fleet;
  const before = await countSent(db);
  const beganAt = performance.now();
  const size = Math.ceil(told.length / bursts);
  for (let from = 0; from < told.length; from += size) {
    await raise(db, told.slice(from, from + size), code);
    await Promise.race([delay(1_000, undefined, { signal }), worker.ended]);
  }
  for (;;) {
    const sent = (await countSent(db)) - before;
    const seconds = (performance.now() - beganAt) / 1_000;
    if (sent >= args.notifications) return rounded(seconds);
    if (seconds > patience * args.seconds)
      throw new Error(`${sent} of ${args.notifications} mails after ${seconds.toFixed(0)} s`);
    await Promise.race([delay(lookEveryMs, undefined, { signal }), worker.ended]);
  }
}

/** One time of at least `seconds`, in which notifications are sent or nothing is said. */
async function phase(
  running: Running,
  kind: PhaseKind,
  { told, code, countMails }: { told: readonly string[]; code: string; countMails: () => number },
): Promise<Phase> {
  const { fleet, worker, args, signal } = running;
  const fromMs = Date.now();
  const mailsBefore = countMails();
  const sentWithinS = kind === 'sending' ? await sendAll(running, told, code) : null;
  const leftMs = Math.max(0, fromMs + args.seconds * 1_000 - Date.now());
  await Promise.race([delay(leftMs, undefined, { signal }), worker.ended]);
  const toMs = Date.now();
  const lateness = await readLatenessOf(fleet.db, [{ fromMs, toMs }]);
  const mails = countMails() - mailsBefore;
  say(`  ${kind}: ${mails} mails, ${latenessText(lateness)}`);
  return { kind, fromMs, toMs, mails, sent_within_s: sentWithinS, lateness };
}

/** quiet, sending, sending, quiet, quiet, sending … */
function orderOf(rounds: number): PhaseKind[] {
  return Array.from({ length: rounds }, (_, round): PhaseKind[] =>
    round % 2 === 0 ? ['quiet', 'sending'] : ['sending', 'quiet'],
  ).flat();
}

async function bench(args: Arguments, signal: AbortSignal) {
  say('bringing up a stack of its own, with a mail server');
  let mails = 0;
  const catcher = await startMailCatcher({ smtp: 0, http: 0, took: () => (mails += 1) });
  let fleet: BenchFleet | null = null;
  let worker: BenchWorker | null = null;
  try {
    fleet = await startFleet({ ...args, say, signal });
    const told = await addTold(fleet, args);
    const channelId = await addRoutes(fleet, catcher.smtpPort, args.notifications);
    worker = await startBenchWorker(fleet.env, signal);
    const running = { fleet, worker, args, signal };
    say(`polling ${args.plants} plants every ${args.intervalS} s`);
    await warmUp(running, channelId);
    const phases: Phase[] = [];
    for (const [n, kind] of orderOf(args.rounds).entries())
      phases.push(await phase(running, kind, { told, code: String(n), countMails: () => mails }));
    const { db } = fleet;
    const together = (kind: PhaseKind) =>
      readLatenessOf(
        db,
        phases.filter((one) => one.kind === kind),
      );
    return {
      measured_at: new Date().toISOString(),
      plants: args.plants,
      interval_s: args.intervalS,
      notifications: args.notifications,
      phases,
      quiet: await together('quiet'),
      sending: await together('sending'),
      versions: await readVersions(fleet),
    };
  } finally {
    await worker?.stop();
    await fleet?.stop();
    await catcher.close();
  }
}

type Result = Awaited<ReturnType<typeof bench>>;

function resultText({ phases, quiet, sending, versions, ...result }: Result): string {
  return alignedText([
    ['plants', `${result.plants} every ${result.interval_s} s`],
    ...phases.map(({ kind, mails, sent_within_s: withinS, lateness }): [string, string] => [
      kind,
      `${latenessText(lateness)}${withinS === null ? '' : `; ${result.notifications} notifications, ${mails} mails within ${withinS} s`}`,
    ]),
    ['all quiet', latenessText(quiet)],
    ['all sending', latenessText(sending)],
    [
      'on',
      `Node ${versions.node}, Temporal ${versions.temporal_server} (SDK ${versions.temporal_sdk}), PostgreSQL ${versions.postgresql}, ${versions.cores} × ${versions.cpu}`,
    ],
  ]);
}

function latenessText(lateness: Lateness | null): string {
  if (lateness === null) return 'no poll of a slot';
  const { polls, p50_ms: p50, p99_ms: p99, max_ms: max } = lateness;
  return `${polls} polls, late p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
}

await runBench(
  'bench:notifications',
  async (signal) => {
    const args = readArguments();
    return { result: await bench(args, signal), jsonFile: args.jsonFile };
  },
  resultText,
  ({ phases, notifications }) =>
    phases.every(({ kind, mails }) => (kind === 'sending' ? mails >= notifications : mails === 0)),
);
