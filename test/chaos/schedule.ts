import type { Checkpoint } from '../../activities/deps.ts';
import { type Brand, brands } from '../../domain/plants/plant.ts';
import { type Random, randomOf } from '../../simulate/random.ts';
import type { StepPath } from '../support/chaos-plan.ts';
import { type ChaosPlant, shuffled } from './draw-fleet.ts';
import { type HostileBody, hostileBodies } from './hostile.ts';

/**
 * Which faults come when, drawn from a seed alone: the same seed gives the same schedule on every machine. Acts follow one
 * another, each with a quiet while after it in which the recovery is measured. Within an act several faults overlap where
 * their effects can be told apart: workers of different brands die, each felt by its own plants; or things fail that nobody
 * but their targets may feel, so that a clean result clears each of them.
 */

export const faultKinds = [
  'WORKER_KILLED_BEFORE_VENDOR',
  'WORKER_KILLED_AFTER_ANSWER',
  'WORKER_KILLED_AFTER_COMMIT',
  'WORKER_FROZEN',
  'WORKER_ABSENT',
  'TEMPORAL_KILLED',
  'POSTGRES_RESTARTED',
  'POSTGRES_CONNECTIONS_ENDED',
  'POSTGRES_AWAY',
  'REDIS_KILLED',
  'REDIS_FLUSHED',
  'REDIS_PAUSED',
  'REDIS_READ_ONLY',
  'VENDOR_HANGS',
  'VENDOR_SLOW',
  'SIGNAL_BURST',
  'HOSTILE_BODIES',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export type KillKind = Extract<FaultKind, `WORKER_KILLED_${string}`>;
export type RedisKind = Extract<FaultKind, `REDIS_${string}`>;

export type Fault =
  /** `post`: which of the layout's workers. */
  | { kind: KillKind; post: number; at: Checkpoint; path: StepPath; plants: number }
  | { kind: 'WORKER_FROZEN'; post: number }
  | { kind: 'WORKER_ABSENT'; post: number; signal: 'SIGKILL' | 'SIGTERM' }
  | { kind: 'TEMPORAL_KILLED' }
  | { kind: 'POSTGRES_CONNECTIONS_ENDED' }
  | { kind: 'POSTGRES_AWAY' }
  | { kind: RedisKind }
  /** null: in order. */
  | { kind: 'POSTGRES_RESTARTED'; signal: 'SIGKILL' | null }
  | { kind: 'VENDOR_HANGS'; brand: Brand }
  | { kind: 'VENDOR_SLOW'; brand: Brand }
  | { kind: 'SIGNAL_BURST'; plantId: string; signals: number; atOnce: number }
  | { kind: 'HOSTILE_BODIES'; bodies: { plantId: string; body: HostileBody }[] };

export type PlannedFault = Fault & {
  /** From the beginning of its act. */
  afterS: number;
  /** From its beginning until it is mended; 0 where it is over at once, or ends by itself. */
  lastsS: number;
};

export interface Act {
  /** From the beginning of the schedule; later where the act before it is not over. */
  startsAtS: number;
  faults: PlannedFault[];
  /** At least so long after its last fault nothing happens. */
  quietS: number;
}

export interface Schedule {
  /**
   * The brands of each worker's process. The first serves two, so that a vendor that hangs has a neighbour in the same
   * process; the others one each, so that workers can die side by side.
   */
  layout: Brand[][];
  acts: Act[];
  /** Kinds for which the minutes are too few. */
  leftOut: FaultKind[];
}

/** In so many minutes every kind has its turn; what lasts for a while lasts the shorter in fewer, and longer in more. */
export const fullMinutes = 5;
const shortestPart = 0.4;
/** In twenty minutes faults last as long as production must survive. */
const longestPart = 4;

/** A window of recovery, and the moment until its rows are there. */
const quietSMin = 13;
/** A dead worker's local steps run again after their workflow task's 10 s, and its loops are replayed at their slots. */
const quietAfterDeathS = (intervalS: number) => 20 + intervalS;
const quietAfterAbsenceS = (intervalS: number) => 16 + intervalS;
/** A loop that polled when it died goes to sleep only when it is back, and so wakes late for its next slot, too. */
const quietAfterTemporalS = (intervalS: number) => 8 + intervalS;
/** What was tried while PostgreSQL was away is tried again up to 16 s later. */
const quietAfterPostgresS = 19;
/** Polls of the vendor that hung end, and its breaker closes. */
const quietAfterHangS = (intervalS: number) => 12 + Math.round(0.6 * intervalS);
/** Deaths of different workers begin within so many seconds. */
const deathsApartS = 3;
/** Loops that die together: more would not stand at one point of one brand before the local budget cuts the first of them. */
const plantsPerDeathMax = 2;
/** As many slots of the plants that are polled every second, and no fewer. */
const absentS = { min: 21, max: 23 };
/** The loops of a frozen worker go on elsewhere after their workflow task's 10 s. */
const frozenS = { min: 14, max: 17 };
const vendorHangsSMax = 120;
const postgresAwayS = { min: 7, max: 9, most: 30 };
/** From one fault of Redis to the next. */
const redisStepS = 8;
const redisPausesS = 5;
const signalsMax = 10_000;
const signalsMin = 1_000;
/** What 10,000 signals take on two cores, with the poll after them. */
const burstS = 30;
/** A moment more than an interval, so that each target is polled. */
const hostileMarginS = 4;

interface Stage {
  random: Random;
  layout: readonly (readonly Brand[])[];
  /** 1 in a schedule of `fullMinutes`. */
  part: number;
  plants: readonly ChaosPlant[];
  intervalS: number;
}

type ActDrawer = (stage: Stage) => Omit<Act, 'startsAtS'>;

/** Draws the schedule of a seed for a fleet. */
export function drawSchedule(
  seed: string,
  minutes: number,
  fleet: readonly ChaosPlant[],
): Schedule {
  const random = randomOf('schedule', seed);
  const plants = fleet.filter((plant) => plant.role === 'ORDINARY');
  const [one, other, ...single] = shuffled(random.next, brands);
  const layout = [[one as Brand, other as Brand], ...single.map((brand) => [brand])];
  const stage: Stage = {
    random,
    layout,
    part: Math.min(Math.max(minutes / fullMinutes, shortestPart), longestPart),
    plants,
    intervalS: plants[0]?.intervalS ?? 1,
  };
  const restS = { left: minutes * 60 };
  const chosen: Omit<Act, 'startsAtS'>[] = [];
  const add = (act: Omit<Act, 'startsAtS'>): boolean => {
    if (lengthS(act) > restS.left) return false;
    restS.left -= lengthS(act);
    chosen.push(act);
    return true;
  };
  // The act of many kinds first, so that a short schedule has room for it.
  add(drawUnfelt(stage));
  for (const draw of shuffled(random.next, feltActs)) add(draw(stage));
  // A long schedule goes on with whatever comes.
  for (let more = restS.left > 0; more;) more = add(random.pick(allActs)(stage));
  let startsAtS = 0;
  const acts = shuffled(random.next, chosen).map((act): Act => {
    const begun = { startsAtS, ...act };
    startsAtS += lengthS(act);
    return begun;
  });
  const drawn = new Set(acts.flatMap((act) => act.faults.map((fault) => fault.kind)));
  return { layout, acts, leftOut: faultKinds.filter((kind) => !drawn.has(kind)) };
}

/** With its quiet while. */
export function lengthS({ faults, quietS }: Pick<Act, 'faults' | 'quietS'>): number {
  return Math.max(...faults.map((fault) => fault.afterS + allowanceS(fault))) + quietS;
}

/** What a fault takes as planned. */
function allowanceS(fault: PlannedFault): number {
  return fault.kind === 'SIGNAL_BURST' ? (burstS * fault.signals) / signalsMax : fault.lastsS;
}

function single(fault: Fault & { lastsS?: number }, quietS: number): Omit<Act, 'startsAtS'> {
  return { faults: [{ afterS: 0, lastsS: 0, ...fault }], quietS };
}

const killPoints: Readonly<Record<KillKind, readonly Checkpoint[]>> = {
  WORKER_KILLED_BEFORE_VENDOR: ['before vendor call'],
  WORKER_KILLED_AFTER_ANSWER: ['after vendor answer'],
  WORKER_KILLED_AFTER_COMMIT: [
    'after snapshot commit',
    'after alerts commit',
    'after ledger commit',
  ],
};
const killKinds = Object.keys(killPoints) as KillKind[];

/** Each worker is killed, each at another point. */
function drawKills({ random, layout, intervalS }: Stage): Omit<Act, 'startsAtS'> {
  const kinds = shuffled(random.next, killKinds);
  const faults = layout.map((_, post): PlannedFault => {
    const kind = kinds[post % kinds.length] as KillKind;
    return {
      kind,
      post,
      at: random.pick(killPoints[kind]),
      path: random.pick(['LOCAL', 'REGULAR'] as const),
      plants: random.int(1, plantsPerDeathMax),
      afterS: random.int(0, deathsApartS),
      lastsS: 0,
    };
  });
  return { faults, quietS: quietAfterDeathS(intervalS) };
}

/** Of the workers of one brand each, one stands still and another is away. */
function drawGone({ random, layout, part, intervalS }: Stage): Omit<Act, 'startsAtS'> {
  const [still = 0, away = 0] = shuffled(
    random.next,
    layout.flatMap((served, post) => (served.length === 1 ? [post] : [])),
  );
  const frozen: PlannedFault = {
    kind: 'WORKER_FROZEN',
    post: still,
    afterS: random.int(0, deathsApartS),
    lastsS: Math.round(random.int(frozenS.min, frozenS.max) * Math.max(1, part)),
  };
  const absent: PlannedFault = {
    kind: 'WORKER_ABSENT',
    post: away,
    signal: random.pick(['SIGKILL', 'SIGTERM'] as const),
    afterS: random.int(0, deathsApartS),
    lastsS: random.int(absentS.min, absentS.max),
  };
  return { faults: [frozen, absent], quietS: quietAfterAbsenceS(intervalS) };
}

/** Acts that a whole fleet, or all plants of a worker, may feel. */
const feltActs: readonly ActDrawer[] = [
  drawKills,
  drawGone,
  ({ random, intervalS }) =>
    single({ kind: 'TEMPORAL_KILLED', lastsS: random.int(0, 3) }, quietAfterTemporalS(intervalS)),
  ({ random }) =>
    single(
      { kind: 'POSTGRES_RESTARTED', signal: random.pick(['SIGKILL', null] as const) },
      quietSMin,
    ),
  () => single({ kind: 'POSTGRES_CONNECTIONS_ENDED' }, quietSMin),
  ({ random, part }) => {
    const { min, max, most } = postgresAwayS;
    const lastsS = Math.min(most, Math.max(4, Math.round(random.int(min, max) * part)));
    return single({ kind: 'POSTGRES_AWAY', lastsS }, quietAfterPostgresS);
  },
  ({ random, part, plants }) =>
    single(
      {
        kind: 'SIGNAL_BURST',
        plantId: random.pick(plants).id,
        signals: Math.min(signalsMax, Math.max(signalsMin, Math.round(signalsMax * part))),
        atOnce: random.int(10, 30),
      },
      quietSMin,
    ),
];

const redisKinds: readonly RedisKind[] = [
  'REDIS_KILLED',
  'REDIS_FLUSHED',
  'REDIS_PAUSED',
  'REDIS_READ_ONLY',
];

/**
 * What none but the targets may feel: a vendor hangs, and meanwhile another one is slow, Redis fails in all its ways, and
 * bodies are hostile.
 */
function drawUnfelt({ random, part, plants, intervalS, layout }: Stage): Omit<Act, 'startsAtS'> {
  const stepS = Math.max(7, Math.round(redisStepS * part));
  const redis = shuffled(random.next, redisKinds).map((kind, n): PlannedFault => ({
    kind,
    afterS: 2 + n * stepS,
    lastsS: redisLastsS(kind, random, part),
  }));
  const hostileS = intervalS + hostileMarginS;
  const redisEndsS = Math.max(...redis.map((fault) => fault.afterS + fault.lastsS));
  const hangsS = Math.min(vendorHangsSMax, Math.max(redisEndsS + random.int(1, 4), hostileS + 4));
  const brand = random.pick(layout[0] ?? brands);
  const slowBrand = random.pick(brands.filter((other) => !layout[0]?.includes(other)));
  const targets = shuffled(
    random.next,
    plants.filter((plant) => plant.brand !== brand && plant.brand !== slowBrand),
  );
  const bodies = hostileBodies.map((body, n) => ({ plantId: targets[n]?.id ?? '', body }));
  const hostile: PlannedFault = {
    kind: 'HOSTILE_BODIES',
    bodies,
    afterS: random.int(1, Math.max(1, hangsS - hostileS - 1)),
    lastsS: hostileS,
  };
  const slow: PlannedFault = {
    kind: 'VENDOR_SLOW',
    brand: slowBrand,
    afterS: random.int(1, Math.max(1, hangsS - hostileS - 1)),
    lastsS: hostileS,
  };
  const hang: PlannedFault = { kind: 'VENDOR_HANGS', brand, afterS: 0, lastsS: hangsS };
  return { faults: [hang, slow, ...redis, hostile], quietS: quietAfterHangS(intervalS) };
}

function redisLastsS(kind: RedisKind, random: Random, part: number): number {
  switch (kind) {
    case 'REDIS_FLUSHED':
      return 0;
    case 'REDIS_PAUSED':
      return redisPausesS;
    case 'REDIS_KILLED':
    case 'REDIS_READ_ONLY':
      return Math.max(2, Math.round(random.int(3, 5) * part));
  }
}

const allActs: readonly ActDrawer[] = [...feltActs, drawUnfelt];
