import { setTimeout as delay } from 'node:timers/promises';

import { type Kysely, sql } from 'kysely';

import {
  type FarmProcess,
  loopbackNetworks,
  startFarmProcess,
} from '../../../bench/gateways/arena.ts';
import { countSettled, readSlots, type SlotVerdict } from '../../../bench/gateways/figures.ts';
import { insertBenchGateways } from '../../../bench/gateways/insert.ts';
import { isWrongValue } from '../../../bench/gateways/wrong-values.ts';
import { endProcess } from '../../../bench/processes.ts';
import { query } from '../../../db/database.ts';
import type { Database } from '../../../db/tables.ts';
import { generatedId } from '../../../stack/gateways/generated.ts';
import { orderBreak, readFarmFigures } from '../../../stack/gateways/control.ts';
import { patiently } from '../ledger.ts';
import { missedFreelyMax } from '../missed-freely.ts';
import { pause, within } from '../scene.ts';
import {
  drawGatewayFaults,
  type GatewayFault,
  type GatewayFaultKind,
  walkers,
} from './schedule.ts';
import { WalkerPost } from './walker-post.ts';

/** Gateways beside the plants of a chaos run: a farm, walkers that die and freeze, and the verdict in the end. */

export interface GatewayVerdict {
  gateways: number;
  slots: SlotVerdict;
  faults: Partial<Record<GatewayFaultKind, number>>;
  /** MISSED slots that no fault of a walker explains. */
  missed_without_fault: number;
  /** Values that no device sent, or not in this order. */
  wrong_values: number;
  /** Why polls failed, by the words of the rows. */
  reasons: Record<string, number>;
  /** Gateways that had not been polled once more when the check began. */
  unsettled: number;
  /** What is not as it must be; one sentence each. */
  problems: string[];
}

export interface GatewayTrack {
  /** Resolves when every gateway has been polled. */
  start(): Promise<void>;
  /** Plays the faults from now on. */
  play(): Promise<void>;
  check(): Promise<GatewayVerdict>;
  close(): Promise<void>;
}

interface Span {
  fromMs: number;
  toMs: number;
}

const gateways = 200;
const intervalS = 10;
const startMsMax = 120_000;
const settleMsMax = 60_000;
/** Until a walker's shards are polled again when it has died, in the worst case: another host's lease and its first slots. */
const recoveryMs = 15_000;

/** Adds gateways to the run's database, and starts their farm. @param env of the run's workers. */
export async function openGatewayTrack(options: {
  db: Kysely<Database>;
  env: NodeJS.ProcessEnv;
  seed: string;
  minutes: number;
  say: (line: string) => void;
  signal: AbortSignal;
}): Promise<GatewayTrack> {
  const { db, seed, minutes, say, signal } = options;
  const farm = await startFarmProcess({ gateways, isHostile: false });
  const env = { ...options.env, GATEWAY_NETWORKS: loopbackNetworks };
  const posts = Array.from(
    { length: walkers },
    (_, n) => new WalkerPost({ name: `walker ${n}`, env, signal }),
  );
  const spans: Span[] = [];
  const faults = drawGatewayFaults(seed, minutes, gateways);
  const played: GatewayFault[] = [];
  await insertBenchGateways(db, await readFarmFigures(farm.controlUrl), intervalS);
  const startedAtMs = Date.now();
  return {
    async start() {
      await Promise.all(posts.map((post) => post.start()));
      const polled = await within(
        startMsMax,
        signal,
        async () => (await countPolled(db, 0)) === gateways,
      );
      if (polled === null)
        throw new Error(`not every gateway was polled in ${startMsMax / 1_000} s`);
      // Until now the gateways were due, and nobody polled them.
      spans.push({ fromMs: 0, toMs: Date.now() });
    },
    async play() {
      const beganAtMs = Date.now();
      for (const fault of faults) {
        const dueInMs = beganAtMs + fault.startsAtS * 1_000 - Date.now();
        if (dueInMs > 0) await delay(dueInMs, undefined, { signal });
        say(`  gateways: ${fault.kind}`);
        const fromMs = Date.now() - 1_000 * intervalS;
        await inject(fault, { posts, farm, signal });
        if (fault.kind !== 'GATEWAYS_MISBEHAVE')
          spans.push({ fromMs, toMs: Date.now() + recoveryMs });
        played.push(fault);
      }
    },
    check: () => check({ db, posts, spans, played, startedAtMs, signal }),
    async close() {
      await Promise.all(posts.map((post) => post.close()));
      await endProcess(farm.child);
    },
  };
}

const countPolled = (db: Kysely<Database>, sinceMs: number) =>
  patiently(() => countSettled(db, sinceMs));

async function inject(
  { kind, walker, lastsS, behaviours }: GatewayFault,
  { posts, farm, signal }: { posts: readonly WalkerPost[]; farm: FarmProcess; signal: AbortSignal },
): Promise<void> {
  const post = posts[walker] as WalkerPost;
  switch (kind) {
    case 'WALKER_KILLED':
      return post.kill();
    case 'WALKER_REPLACED':
      return post.replace();
    case 'WALKER_FROZEN':
      return post.freeze(lastsS);
    case 'GATEWAYS_MISBEHAVE':
      await Promise.all(
        behaviours.map(({ gateway, behaviour }) =>
          orderBreak(farm.controlUrl, generatedId(gateway), { behaviour, forMs: lastsS * 1_000 }),
        ),
      );
      return pause(lastsS, signal);
  }
}

interface Checked {
  db: Kysely<Database>;
  posts: readonly WalkerPost[];
  spans: readonly Span[];
  played: readonly GatewayFault[];
  startedAtMs: number;
  signal: AbortSignal;
}

/** Judges by the database alone. */
async function check({ db, posts, spans, played, ...run }: Checked): Promise<GatewayVerdict> {
  const { startedAtMs, signal } = run;
  const toMs = Date.now();
  await within(settleMsMax, signal, async () => (await countPolled(db, toMs)) === gateways);
  const unsettled = gateways - (await countPolled(db, toMs));
  const slots = await patiently(() => readSlots(db, { fromMs: startedAtMs, toMs }));
  const missed = await patiently(() => readMissed(db));
  const unexplained = missed.filter(
    ({ fromMs, lastMs }) => !spans.some((span) => fromMs <= span.toMs && lastMs >= span.fromMs),
  );
  const faults: GatewayVerdict['faults'] = {};
  for (const { kind } of played) faults[kind] = (faults[kind] ?? 0) + 1;
  const found = {
    gateways,
    slots,
    faults,
    missed_without_fault: unexplained.reduce((sum, one) => sum + one.slots, 0),
    wrong_values: await patiently(() => countWrongValues(db)),
    reasons: await patiently(() => readReasons(db)),
    unsettled,
  };
  return {
    ...found,
    problems: [...problemsOf(found), ...posts.flatMap((post) => post.unexpected)],
  };
}

/** Why gateways have not come through as they must. */
export function problemsOf(found: Omit<GatewayVerdict, 'problems'>): string[] {
  const { slots } = found;
  const counted = (count: number, what: string) =>
    count === 0 ? [] : [`gateways: ${count} ${what}`];
  return [
    ...counted(slots.lost, 'slots lost: due, and without a row'),
    ...counted(slots.doubled, 'slots doubled'),
    ...counted(slots.strays, 'rows of slots that were not due'),
    ...counted(slots.overlapping, 'overlapping polls of one gateway'),
    ...counted(
      found.missed_without_fault > missedFreelyMax(slots.due) ? found.missed_without_fault : 0,
      'slots missed while no walker was in trouble',
    ),
    ...counted(found.wrong_values, 'values stored that no device has'),
    ...counted(found.unsettled, 'gateways that were not polled once more at the end'),
    ...(slots.polled === 0 ? ['gateways: nothing was polled'] : []),
  ];
}

async function readMissed(db: Kysely<Database>) {
  return query(db)<{ fromMs: number; lastMs: number; slots: number }>`
    select (extract(epoch from read_at) * 1000)::float8 as "fromMs", slots_missed as slots,
      (extract(epoch from read_at + (slots_missed - 1) * ${intervalS} * interval '1 second') * 1000)::float8 as "lastMs"
    from gateway_readings where outcome = 'MISSED'`;
}

async function countWrongValues(db: Kysely<Database>): Promise<number> {
  const [row] = await query(db)<{ wrong: number }>`
    select count(*)::int as wrong from gateway_readings r
    cross join lateral unnest(r."values") with ordinality as v (value, nth)
    where ${isWrongValue(sql`v.value`, sql`v.nth`)}`;
  return row?.wrong ?? 0;
}

async function readReasons(db: Kysely<Database>): Promise<Record<string, number>> {
  const rows = await query(db)<{ reason: string; polls: number }>`
    select reason, count(*)::int as polls from gateway_readings
    where reason is not null and outcome <> 'MISSED' group by reason order by polls desc`;
  return Object.fromEntries(rows.map(({ reason, polls }) => [reason, polls]));
}
