import { randomOf } from '../random.ts';

/** What happens at a simulated site in three days: to its devices, to the network, to the servers, and what people do. */

export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export interface Span {
  fromMs: number;
  toMs: number;
}

/** DEAD: refuses connections. HANG: never answers. FLAKY: one poll in four is not answered. SLOW: takes seconds. */
export type HostFault = Span & { kind: 'DEAD' | 'HANG' | 'FLAKY' | 'SLOW' };

/** Of one gateway's device. RESET: the counters begin at 0 again, at `fromMs`. JUMP: the total shows nonsense once. */
export type DeviceFault = Span & {
  kind: 'ZERO' | 'JUMP' | 'RESET' | 'UNIT_SILENT' | 'POINT_REFUSED';
};

export interface HostLife {
  host: string;
  faults: HostFault[];
}

export interface GatewayLife {
  id: string;
  host: string;
  priority: 'HIGH' | 'NORMAL' | 'LOW';
  intervalS: number;
  peakKw: number;
  /** What its totals show at the begin, in hundredths of a kWh. */
  baseCkwh: number;
  faults: DeviceFault[];
  acts: GatewayAct[];
}

export type GatewayAct = { atMs: number } & (
  | { kind: 'PAUSE' | 'RESUME' | 'POLL' }
  | { kind: 'INTERVAL'; intervalS: number }
);

/** KILL: the process is gone, and the next comes at `toMs`. STOP: it stands still. LEAVE: another takes over in good order. */
export type ProcessFault = Span & { kind: 'KILL' | 'STOP' | 'LEAVE' };

export interface SiteLife {
  seed: string;
  fromMs: number;
  toMs: number;
  hosts: HostLife[];
  gateways: GatewayLife[];
  /** All hosts at once: our network. */
  network: Span[];
  processes: ProcessFault[];
  /** PostgreSQL is away. */
  database: Span[];
}

const fleet = [
  ['inverter-a', 'h0', 'HIGH', 10],
  ['inverter-b', 'h1', 'HIGH', 10],
  ['meter-b', 'h1', 'NORMAL', 60],
  ['meter-c', 'h2', 'NORMAL', 60],
  ['logger-d', 'h3', 'LOW', 300],
  ['meter-e', 'h4', 'NORMAL', 45],
] as const;

/** A shorter life has no room for its faults. All lives have as many, so that a short one is a dense one. */
export const hoursMin = 8;

/** Draws the life that belongs to a seed. It begins in the afternoon, so that each has a midnight. */
export function drawSite(seed: string, hours: number): SiteLife {
  const fromMs =
    Date.parse('2026-06-09T00:00:00Z') + randomOf(seed, 'start').int(17 * hourMs, 20 * hourMs);
  const life = { fromMs, toMs: fromMs + hours * hourMs };
  const spans = (about: string, count: number, minMs: number, maxMs: number): Span[] => {
    const random = randomOf(seed, about);
    return Array.from({ length: count }, () => {
      const at = random.int(fromMs + hourMs, life.toMs - hourMs);
      return { fromMs: at, toMs: at + random.int(minMs, maxMs) };
    });
  };
  // Midnight is where gaps are cut: one worker is away over it in every life.
  const midnightMs = (Math.floor(fromMs / dayMs) + 1) * dayMs;
  const overMidnight = {
    kind: 'KILL' as const,
    fromMs: midnightMs - 7 * minuteMs,
    toMs: midnightMs + 11 * minuteMs,
  };
  return {
    ...life,
    seed,
    hosts: ['h0', 'h1', 'h2', 'h3', 'h4'].map((host) => ({
      host,
      faults: [
        ...spans(`${host} dead`, 1, 20 * minuteMs, 5 * hourMs).map(kind('DEAD')),
        ...spans(`${host} short`, 2, minuteMs, 9 * minuteMs).map(kind('DEAD')),
        ...spans(`${host} hang`, 1, 5 * minuteMs, 30 * minuteMs).map(kind('HANG')),
        ...spans(`${host} flaky`, 1, 30 * minuteMs, 2 * hourMs).map(kind('FLAKY')),
        ...spans(`${host} slow`, 1, 30 * minuteMs, 2 * hourMs).map(kind('SLOW')),
      ],
    })),
    gateways: fleet.map(([id, host, priority, intervalS]) => ({
      id,
      host,
      priority,
      intervalS,
      peakKw: randomOf(seed, id).int(5, 20),
      baseCkwh: randomOf(seed, id, 'base').int(1_000_000, 90_000_000),
      faults: [
        ...spans(`${id} zero`, 4, 30_000, 8 * minuteMs).map(kind('ZERO')),
        ...spans(`${id} jump`, 2, 15_000, 5 * minuteMs).map(kind('JUMP')),
        ...spans(`${id} reset`, 1, 1, 1).map(kind('RESET')),
        ...spans(`${id} silent`, 1, 5 * minuteMs, hourMs).map(kind('UNIT_SILENT')),
        ...spans(`${id} refused`, 1, 5 * minuteMs, hourMs).map(kind('POINT_REFUSED')),
      ],
      acts: drawActs(seed, id, life, intervalS),
    })),
    network: spans('network', 1, 15 * minuteMs, 45 * minuteMs),
    processes: apart([
      overMidnight,
      ...spans('kill', 3, 1_000, 20 * minuteMs).map(kind('KILL')),
      ...spans('stop', 3, 1_000, 20_000).map(kind('STOP')),
      ...spans('leave', 3, 1_000, 2_000).map(kind('LEAVE')),
    ]),
    database: spans('database', 3, 5_000, 6 * minuteMs),
  };
}

const kind =
  <Kind extends string>(name: Kind) =>
  (span: Span): Span & { kind: Kind } => ({ ...span, kind: name });

/** In their order, without those that overlap the one before or follow it closely. */
function apart(faults: readonly ProcessFault[]): ProcessFault[] {
  let freeMs = -Infinity;
  return faults
    .toSorted((a, b) => a.fromMs - b.fromMs)
    .filter((fault) => {
      if (fault.fromMs < freeMs) return false;
      freeMs = fault.toMs + minuteMs;
      return true;
    });
}

function drawActs(
  seed: string,
  id: string,
  { fromMs, toMs }: Span,
  intervalS: number,
): GatewayAct[] {
  const random = randomOf(seed, id, 'acts');
  const at = (): number => random.int(fromMs + hourMs, toMs - 3 * hourMs);
  const pauseMs = at();
  const acts: GatewayAct[] = [
    { kind: 'PAUSE', atMs: pauseMs },
    { kind: 'RESUME', atMs: pauseMs + random.int(20_000, 2 * hourMs) },
    ...Array.from({ length: 5 }, () => ({ kind: 'POLL' as const, atMs: at() })),
  ];
  if (random.chance(0.5)) {
    const changeMs = at();
    acts.push(
      { kind: 'INTERVAL', intervalS: intervalS * 2, atMs: changeMs },
      { kind: 'INTERVAL', intervalS, atMs: changeMs + random.int(minuteMs, 2 * hourMs) },
    );
  }
  return acts.toSorted((a, b) => a.atMs - b.atMs);
}

export function isWithin(spans: readonly Span[], atMs: number): boolean {
  return spans.some(({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs);
}
