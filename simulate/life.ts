import type { Brand } from '../domain/plants/plant.ts';
import { dateAfter, dayLengthMs, firstInstantOf, sunOf } from './calendar.ts';
import { firstSlotFrom } from './grid.ts';
import { type Random, randomOf } from './random.ts';

/** Draws a life from a seed: one vendor account with its plants, and everything that will happen to them. */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

export interface Place {
  timezone: string;
  latitude: number;
  longitude: number;
  /** Dates around which a life may begin: mostly those on which the clocks change. */
  dates: readonly string[];
}

/** Where the sun rises and sets all year, with clocks of every kind. */
const places: readonly Place[] = [
  place('Europe/Madrid', 40.42, -3.7, '2026-03-29', '2026-10-25'),
  // Summer time of half an hour.
  place('Australia/Lord_Howe', -31.55, 159.08, '2026-04-05', '2026-10-04'),
  place('America/St_Johns', 47.56, -52.71, '2026-03-08', '2026-11-01'),
  // Changes at midnight: one day begins at 01:00, another has 23:00 to 24:00 twice.
  place('America/Santiago', -33.45, -70.67, '2026-04-05', '2026-09-06'),
  // No summer time any more; in 2018 it changed at midnight.
  place('America/Sao_Paulo', -23.55, -46.63, '2026-07-01', '2018-11-04', '2018-02-18'),
  place('Asia/Kathmandu', 27.72, 85.32, '2026-02-28', '2026-12-31'),
  place('Pacific/Kiritimati', 1.87, -157.43, '2026-06-01', '2028-02-29'),
];

function place(timezone: string, latitude: number, longitude: number, ...dates: string[]): Place {
  return { timezone, latitude, longitude, dates };
}

/** A span of time; `toMs` is not part of it. */
export interface Span {
  fromMs: number;
  toMs: number;
}

export function isWithin(atMs: number, { fromMs, toMs }: Span): boolean {
  return atMs >= fromMs && atMs < toMs;
}

/** Faults are drawn from this list; a kind that stands in it more often is drawn more often. */
const faultKinds = [
  'TIME_OUT',
  'HTTP_500',
  'HTML',
  'TRUNCATED',
  'MISSING_FIELD',
  'IMPOSSIBLE_ENERGY',
  'IMPOSSIBLE_POWER',
  'RATE_LIMIT',
  'RATE_LIMIT',
  'SESSION_EXPIRED',
  // An answer of a while ago, from a cache: late, doubled, and out of order.
  'STALE',
  'STALE',
  // The logger's clock is off.
  'CLOCK',
  'PARTIAL_PAGES',
  'PARTIAL_PAGES',
  'PARTIAL_PAGES',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** A time in which a part of a vendor's answers goes wrong. */
export interface Fault extends Span {
  kind: FaultKind;
  /** The requests that it hits; null: all. */
  only: 'SUMMARY' | 'ALARMS' | 'SERIES' | null;
  share: number;
  /** RATE_LIMIT: Retry-After in s, null without one. CLOCK: how far ahead, in s. STALE: how old, in s. */
  seconds: number | null;
}

/** The logger sends nothing. */
export interface Silence extends Span {
  /** When the vendor receives what was measured in the silence; null: never. */
  uploadedAtMs: number | null;
  /** The vendor says "offline" and shows an empty plant. */
  isEmpty: boolean;
}

export interface AlarmLife {
  code: string;
  deviceSn: string | null;
  startMs: number;
  /** May lie beyond the end of the simulation. */
  endMs: number;
  isSevere: boolean;
  /** When it becomes severe; null: never. */
  riseMs: number | null;
  /** How long after start and end the vendor's list knows of it, ms. */
  lagMs: number;
  isDoubled: boolean;
}

export type PersonAct = { atMs: number } & (
  | { kind: 'PAUSE'; untilMs: number | null }
  | { kind: 'RESUME' }
  | { kind: 'SET_INTERVAL'; intervalS: number }
  | { kind: 'ACK'; untilMs: number | null }
  | { kind: 'SILENCE'; untilMs: number }
  | { kind: 'BACKFILL'; days: number }
  /** Pause and resume as the Web UI of Temporal sends them. */
  | { kind: 'SIGNAL'; to: 'ACTIVE' | 'DISABLED_BY_OPERATOR' }
  | { kind: 'POLL' }
  | { kind: 'CREDENTIALS' }
);

export interface PlantLife {
  id: string;
  brand: Brand;
  vendorPlantId: string;
  place: Place;
  /** What people typed in. */
  isPlaceKnown: boolean;
  isCapacityKnown: boolean;
  /** Only light counts for the 2 h. */
  isDaylight: boolean;
  capacityKw: number;
  intervalS: number;
  activatedAtMs: number;
  /** Measures when it is asked, not every five minutes. */
  isLive: boolean;
  lagMs: number;
  sleeps: boolean;
  countsLifetime: boolean;
  /** Steps of 1 kWh or more instead of 0.1 kWh; Solis' MWh. */
  hasCoarseLifetime: boolean;
  /** Until so long after sunrise the day's counter shows yesterday's total, with fresh times. null: it restarts at midnight. */
  replayMs: number | null;
  inverters: number;
  /** Dates on which the plant makes this part of what it should. */
  illness: { from: string; to: string; factor: number } | null;
  silences: readonly Silence[];
  /** The day's counter begins anew. */
  reboots: readonly number[];
  /** The lifetime counter begins anew: the inverter was replaced. */
  replacedAtMs: number | null;
  alarms: readonly AlarmLife[];
  acts: readonly PersonAct[];
}

export interface Life {
  seed: string;
  fromMs: number;
  toMs: number;
  accountId: string;
  plants: readonly PlantLife[];
  faults: readonly Fault[];
  /** No worker runs. A cold one has forgotten what it knew of its loops. */
  outages: readonly (Span & { isCold: boolean })[];
  /** The worker's clock is off by so much. */
  clockJumps: readonly (Span & { offMs: number })[];
  /** POLL_COURSE is `steps`; else it is `whole`. */
  stepsSpans: readonly Span[];
  /** The vendor wants other credentials from then on; until a person has stored them. */
  passwords: readonly number[];
  /** Probability that a crash follows a step's commit. */
  crashShare: number;
  /** Probability that a poll begins late. */
  lateShare: number;
}

const brandsDrawn: readonly Brand[] = ['SOLIS', 'HUAWEI', 'GOODWE', 'DELE'];
const intervalsS = [300, 600, 600, 900, 900, 1_200, 1_800, 1_800, 3_600, 3_600] as const;

/** The life of a seed; the same for the same seed and number of days. */
export function drawLife(seed: string, days: number): Life {
  const random = randomOf(seed, 'life');
  const where = random.pick(places);
  const around = random.pick(where.dates);
  const date = dateAfter(around, -random.int(1, Math.max(1, Math.min(days - 2, 12))));
  const fromMs =
    firstInstantOf(date, where.timezone) + random.int(0, 23) * hourMs + random.int(0, 3_599_999);
  const toMs = fromMs + days * dayLengthMs;
  const span = { fromMs, toMs };
  // One life in six is ordinary: nothing happens, and no check may say that something did.
  const isCalm = random.chance(1 / 6);
  const brand = random.pick(brandsDrawn);
  const count = random.chance(0.3) ? 2 : 1;
  const plants = Array.from({ length: count }, (_, index) =>
    drawPlant(randomOf(seed, 'plant', index), `sim-${seed}-${index}`, {
      brand,
      where,
      span,
      isCalm,
    }),
  );
  const passwords = !isCalm && random.chance(0.25) ? [within(random, span)] : [];
  return {
    seed,
    fromMs,
    toMs,
    accountId: `account-${seed}`,
    plants: plants.map((plant) => ({
      ...plant,
      acts: [
        ...plant.acts,
        ...credentialActs(random, passwords),
        ...(isCalm ? [] : drawMessages(plant, span)),
      ].toSorted((a, b) => a.atMs - b.atMs),
    })),
    faults: isCalm ? [] : [...drawFaults(random, span), ...drawLostPages(seed, plants)],
    outages: isCalm ? [] : withLostEvening(seed, where, span, drawOutages(random, span)),
    clockJumps: isCalm ? [] : drawJumps(random, span),
    stepsSpans: drawStepsSpans(seed, span),
    passwords,
    crashShare: isCalm ? 0 : random.pick([0, 0.005, 0.02]),
    lateShare: isCalm ? 0 : random.pick([0, 0.1, 0.5]),
  };
}

/** Credentials belong to the account; the first plant's person stores them for all. */
function credentialActs(random: Random, passwords: readonly number[]): PersonAct[] {
  return passwords.map((atMs) => ({
    kind: 'CREDENTIALS',
    atMs: atMs + random.int(30 * minuteMs, 20 * hourMs),
  }));
}

function within(random: Random, { fromMs, toMs }: Span): number {
  return random.int(fromMs, toMs - 1);
}

function times<T>(count: number, draw: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => draw(index));
}

function drawPlant(
  random: Random,
  id: string,
  { brand, where, span, isCalm }: { brand: Brand; where: Place; span: Span; isCalm: boolean },
): PlantLife {
  const replays = random.chance(0.4);
  return {
    id,
    brand,
    vendorPlantId: `${random.int(10_000_000, 99_999_999)}`,
    place: where,
    isPlaceKnown: random.chance(0.8),
    isCapacityKnown: random.chance(0.85),
    isDaylight: random.chance(0.4),
    capacityKw: random.pick([3, 10, 60, 1_200]),
    intervalS: random.pick(intervalsS),
    activatedAtMs: span.fromMs,
    isLive: random.chance(0.3),
    lagMs: random.pick([0, 0, 4, 11]) * minuteMs,
    sleeps: random.chance(0.4),
    countsLifetime: random.chance(0.8),
    hasCoarseLifetime: random.chance(0.3),
    replayMs: replays ? random.int(-60, 40) * minuteMs : null,
    inverters: random.pick([1, 1, 2]),
    illness: isCalm ? null : drawIllness(random, where, span),
    silences: isCalm ? [] : drawSilences(random, span),
    reboots: isCalm ? [] : times(random.int(0, 3), () => within(random, span)),
    replacedAtMs: !isCalm && random.chance(0.15) ? within(random, span) : null,
    alarms: isCalm ? [] : drawAlarms(random, span),
    acts: isCalm ? [] : drawActs(random, span),
  };
}

function drawIllness(random: Random, where: Place, span: Span): PlantLife['illness'] {
  if (random.chance(0.6)) return null;
  const from = new Date(within(random, span)).toISOString().slice(0, 10);
  const factor = random.pick([0.2, 0.05]);
  // Asked for here, so that a place without a sunrise is noticed at once.
  sunOf(from, where);
  return { from, to: dateAfter(from, random.int(0, 2)), factor };
}

function drawSilences(random: Random, span: Span): Silence[] {
  const silences: Silence[] = [];
  for (const hours of times(random.int(0, 4), () => random.pick([1.5, 3, 7, 20, 30, 60]))) {
    const fromMs = within(random, span);
    const toMs = fromMs + Math.round(hours * hourMs);
    if (silences.some((other) => fromMs < other.toMs + hourMs && other.fromMs < toMs + hourMs))
      continue;
    silences.push({
      fromMs,
      toMs,
      uploadedAtMs: random.chance(0.7) ? toMs + random.int(0, 30) * hourMs : null,
      isEmpty: random.chance(0.4),
    });
  }
  return silences.toSorted((a, b) => a.fromMs - b.fromMs);
}

function drawAlarms(random: Random, span: Span): AlarmLife[] {
  const devices = [null, 'INV-1', 'INV-2'];
  const codes = ['E11', 'E12', '999999999'];
  const alarms: AlarmLife[] = [];
  for (let left = random.int(0, 8); left > 0; left -= 1) {
    // On whole seconds, as vendors have it; some began long before the plant was added.
    const early = random.chance(0.1) ? 40 * hourMs : 0;
    const startMs = Math.floor((within(random, span) - early) / 1_000) * 1_000;
    const endMs = startMs + random.int(60, 3_600 * random.pick([1, 8, 40])) * 1_000;
    const code = random.pick(codes);
    const deviceSn = random.pick(devices);
    const isSevere = random.chance(0.4);
    alarms.push({
      code,
      deviceSn,
      startMs,
      endMs,
      isSevere,
      riseMs: !isSevere && random.chance(0.4) ? Math.floor((startMs + endMs) / 2) : null,
      lagMs: random.int(0, 20) * minuteMs,
      isDoubled: random.chance(0.2),
    });
    // Two devices break at once, with one code.
    const also = devices.find((other) => other !== deviceSn);
    if (also !== undefined && random.chance(0.4)) {
      const last = alarms.at(-1);
      if (last !== undefined)
        alarms.push({
          ...last,
          deviceSn: also,
          endMs: last.endMs + random.int(1, 120) * minuteMs,
        });
    }
  }
  return alarms;
}

function drawActs(random: Random, span: Span): PersonAct[] {
  const acts: PersonAct[] = [];
  const at = () => within(random, span);
  for (const atMs of times(random.int(0, 2), at)) {
    const untilMs = atMs + random.int(5 * minuteMs, 40 * hourMs);
    if (random.chance(0.5)) acts.push({ kind: 'PAUSE', atMs, untilMs });
    else acts.push({ kind: 'PAUSE', atMs, untilMs: null }, { kind: 'RESUME', atMs: untilMs });
  }
  for (const atMs of times(random.int(0, 2), at))
    acts.push({ kind: 'SET_INTERVAL', atMs, intervalS: random.pick(intervalsS) });
  for (const atMs of times(random.int(0, 6), at)) {
    const untilMs = random.chance(0.6) ? atMs + random.int(1, 20) * hourMs : null;
    acts.push({ kind: 'ACK', atMs, untilMs });
  }
  for (const atMs of times(random.int(0, 2), at))
    acts.push({ kind: 'SILENCE', atMs, untilMs: atMs + random.int(1, 30) * hourMs });
  for (const atMs of times(random.int(0, 3), at))
    acts.push({ kind: 'BACKFILL', atMs, days: random.int(2, 9) });
  for (const atMs of times(random.int(0, 5), at)) acts.push({ kind: 'POLL', atMs });
  return acts;
}

/** The setting stays or changes once. */
function drawStepsSpans(seed: string, span: Span): Span[] {
  const random = randomOf(seed, 'course');
  const changedMs = within(random, span);
  return random.pick([
    [],
    [span],
    [{ ...span, toMs: changedMs }],
    [{ ...span, fromMs: changedMs }],
  ]);
}

/** What comes through Temporal: bursts of requests, some at a slot, and the Web UI's pause and resume. */
function drawMessages({ id, intervalS }: PlantLife, span: Span): PersonAct[] {
  const random = randomOf(id, 'messages');
  const acts: PersonAct[] = [];
  for (const atMs of times(random.int(0, 2), () => within(random, span))) {
    const slotMs = firstSlotFrom(id, intervalS * 1_000, atMs);
    // Slow requests are answered as they come; only quick ones are a burst.
    const everyMs = random.chance(0.5) ? random.int(2, 8) : random.int(5, 60);
    const requests = random.int(30, 400);
    // A third of the bursts reach a slot, and a third end just before one.
    const fromMs = random.pick([
      atMs,
      slotMs - random.int(0, 6_000),
      slotMs - requests * everyMs - random.int(0, 700),
    ]);
    for (let n = 0; n < requests; n += 1) acts.push({ kind: 'POLL', atMs: fromMs + n * everyMs });
  }
  for (const atMs of times(random.int(0, 1), () => within(random, span))) {
    acts.push({ kind: 'SIGNAL', to: 'DISABLED_BY_OPERATOR', atMs });
    acts.push({ kind: 'SIGNAL', to: 'ACTIVE', atMs: atMs + random.int(1, 40 * hourMs) });
  }
  return acts;
}

function drawFaults(random: Random, span: Span): Fault[] {
  const days = (span.toMs - span.fromMs) / dayLengthMs;
  return times(random.int(0, Math.ceil(days * 0.8)), () => {
    const kind = random.pick(faultKinds);
    const fromMs = within(random, span);
    const hours = random.pick([0.3, 1, 3, 8, 26]);
    return {
      kind,
      fromMs,
      toMs: fromMs + Math.round(hours * hourMs),
      only: random.pick(['SUMMARY', 'ALARMS', 'SERIES', null, null] as const),
      share: random.pick([0.3, 1]),
      seconds: faultSeconds(random, kind),
    };
  });
}

function faultSeconds(random: Random, kind: FaultKind): number | null {
  switch (kind) {
    case 'RATE_LIMIT':
      return random.pick([null, 1, 30, 60, 61, 900, 7_200]);
    case 'CLOCK':
      return random.pick([60, 540, 39_600, -1_200, -3_600]);
    case 'STALE':
      return random.pick([300, 1_500, 5_400]);
    default:
      return null;
  }
}

function drawOutages(random: Random, span: Span): Life['outages'] {
  const outages: (Span & { isCold: boolean })[] = [];
  for (const hours of times(random.int(0, 3), () => random.pick([0.2, 1, 5, 28, 80]))) {
    const fromMs = within(random, span);
    const toMs = fromMs + Math.round(hours * hourMs);
    if (outages.some((other) => fromMs <= other.toMs && other.fromMs <= toMs)) continue;
    outages.push({ fromMs, toMs, isCold: random.chance(0.5) });
  }
  return outages.toSorted((a, b) => a.fromMs - b.fromMs);
}

/** Pages are lost while there are alarms on them. */
function drawLostPages(seed: string, plants: readonly PlantLife[]): Fault[] {
  const random = randomOf(seed, 'lost pages');
  const alarms = plants.flatMap((plant) => plant.alarms);
  if (alarms.length === 0 || random.chance(0.4)) return [];
  const { startMs, lagMs, endMs } = random.pick(alarms);
  const span = { fromMs: startMs + lagMs + 20 * minuteMs, toMs: endMs + lagMs };
  return [{ ...span, kind: 'PARTIAL_PAGES', only: 'ALARMS', share: 1, seconds: null }];
}

/** May add an outage over an evening and the midnight after it: the next answer shows a total that is neither known nor today's. */
function withLostEvening(
  seed: string,
  where: Place,
  span: Span,
  outages: Life['outages'],
): Life['outages'] {
  const random = randomOf(seed, 'lost evening');
  if (random.chance(0.6)) return outages;
  const date = new Date(within(random, span)).toISOString().slice(0, 10);
  const { setMs } = sunOf(date, where);
  const nextMs = firstInstantOf(dateAfter(date, 1), where.timezone);
  const evening = {
    fromMs: setMs - random.int(2, 4) * hourMs,
    toMs: nextMs + random.int(5, 90) * minuteMs,
    isCold: random.chance(0.5),
  };
  if (outages.some((other) => evening.fromMs <= other.toMs && other.fromMs <= evening.toMs))
    return outages;
  return [...outages, evening].toSorted((a, b) => a.fromMs - b.fromMs);
}

function drawJumps(random: Random, span: Span): Life['clockJumps'] {
  return times(random.int(0, 2), () => {
    const fromMs = within(random, span);
    const offMs = random.pick([-7_200_000, -90_000, 45_000, 240_000]);
    return { fromMs, toMs: fromMs + random.int(1, 8) * hourMs, offMs };
  });
}
