import type { SitePoll, SitePollResult, SiteRead } from '../../adapters/modbus/site.ts';
import type { Answer, GatewayRequest } from '../../db/gateways/requests.ts';
import type { LoadedState } from '../../db/gateways/state.ts';
import type { PastPeriod } from '../../db/gateways/past-periods.ts';
import type { WalkedGateway } from '../../db/gateways/walk.ts';
import type { BatchRow, ReadingRow } from '../../db/gateways/write-batch.ts';
import type {
  Timer,
  WalkClock,
  WalkFigures,
  WalkMeter,
  WalkPorts,
} from '../../activities/gateways/walk/ports.ts';
import { createWalker, type Walker } from '../../activities/gateways/walk/walker.ts';
import { disableLimitsDefault } from '../../domain/gateways/disable.ts';
import type { UnitPoint } from '../../domain/gateways/point.ts';
import type { PollFailure } from '../../domain/gateways/reading.ts';
import { registerPoints } from './modbus/sites.ts';

/** A walker without servers: a virtual clock, devices as scripted, and tables in memory. */

/** A clock that goes on only when it is told to. */
export class VirtualClock implements WalkClock {
  nowMs: number;
  /** What the wall clock was set ahead by, which `elapsed` does not see. */
  #timers: { atMs: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  now = () => this.nowMs;
  elapsed = () => this.nowMs;

  after(ms: number, run: () => void): Timer {
    const timer = { atMs: this.nowMs + ms, order: (this.#order += 1), run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  /** Lets time pass, timer by timer. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      await settled();
      const [next] = this.#timers.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (next === undefined || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = endMs;
    await settled();
  }

  /** The process stands still: time passes, and no timer runs. */
  stand(ms: number): void {
    this.nowMs += ms;
  }
}

/** Lets all promises that can settle do so. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 60; turn += 1) await Promise.resolve();
}

/** What a device does with a poll. */
export interface Behaviour {
  /** How long the answer takes; Infinity: it never comes, and the poll ends at its deadline. */
  takesMs: number;
  values: readonly number[];
  failure: PollFailure | null;
}

export interface PollSeen {
  port: number;
  atMs: number;
  deadlineMs: number;
}

const timeOut: PollFailure = { reason: 'TIMEOUT', message: 'no answer' };

export interface WalkBed {
  clock: VirtualClock;
  walker: Walker;
  /** By port. */
  behaviours: Map<number, Partial<Behaviour>>;
  polls: PollSeen[];
  /** How many polls ran on one port at the same time at most. */
  overlapMax: number;
  rows: (ReadingRow & { gatewayId: string })[];
  states: Map<string, BatchRow['state']>;
  batches: number[];
  gateways: Map<string, WalkedGateway>;
  past: PastPeriod[];
  requests: GatewayRequest[];
  answers: Map<number, Answer>;
  evaluated: string[];
  figures: WalkFigures[];
  /** What PostgreSQL does. */
  database: {
    isAway: boolean;
    isHeld: boolean;
    wantedBy: string | null;
    isHalted: boolean;
    refuses: (row: BatchRow) => boolean;
  };
  takenLocks: Set<string>;
  lockCalls: string[][];
  /** Closed sites, by port. */
  closed: number[];
  rowsOf(id: string): ReadingRow[];
}

/** 30 November 2026, 12:00 UTC: a multiple of all intervals of the tests. */
export const noonMs = Date.UTC(2026, 10, 30, 12);

class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** @param meter what counts the polls; nothing does unless given. */
export function createWalkBed(
  startMs = noonMs,
  meter: WalkMeter = { polled() {}, missed() {} },
): WalkBed {
  const clock = new VirtualClock(startMs);
  const running = new Map<number, number>();
  const bed: Omit<WalkBed, 'walker'> = {
    clock,
    behaviours: new Map(),
    polls: [],
    overlapMax: 0,
    rows: [],
    states: new Map(),
    batches: [],
    gateways: new Map(),
    past: [],
    requests: [],
    answers: new Map(),
    evaluated: [],
    figures: [],
    database: {
      isAway: false,
      isHeld: true,
      wantedBy: null,
      isHalted: false,
      refuses: () => false,
    },
    takenLocks: new Set(),
    lockCalls: [],
    closed: [],
    rowsOf: (id) => bed.rows.filter(({ gatewayId }) => gatewayId === id),
  };
  async function poll(port: number, request: SitePoll): Promise<SitePollResult> {
    const startedAtMs = clock.now();
    bed.polls.push({ port, atMs: startedAtMs, deadlineMs: request.deadlineMs });
    running.set(port, (running.get(port) ?? 0) + 1);
    bed.overlapMax = Math.max(bed.overlapMax, running.get(port) ?? 0);
    const { takesMs = 5, values = [1], failure = null } = bed.behaviours.get(port) ?? {};
    const isLate = takesMs > request.deadlineMs;
    const isCut = await new Promise<boolean>((resolve) => {
      const timer = clock.after(Math.min(takesMs, request.deadlineMs), () => resolve(false));
      request.signal?.addEventListener('abort', () => {
        timer.cancel();
        resolve(true);
      });
    });
    running.set(port, (running.get(port) ?? 0) - 1);
    const problem = isCut ? { ...timeOut, reason: 'CLOSED' as const } : isLate ? timeOut : failure;
    return {
      points: request.points.map((_, index) =>
        problem === null
          ? { kind: 'BITS', bytes: wordOf(values[index] ?? 0), scaleFactor: null }
          : { kind: 'NOT_ANSWERED' },
      ),
      failure: problem,
      isBackOff: false,
      startedAtMs,
      measuredAtMs: clock.now(),
      requests: 1,
      learned: null,
      notice: null,
    };
  }
  const ports: WalkPorts = {
    clock,
    sites: {
      of: (_host, port) => ({
        poll: (request) => poll(port, request),
        read: async (_read: SiteRead) => ({ kind: 'ANSWER', bytes: wordOf(4_711) }),
      }),
      forget: (_host, port) => void bed.closed.push(port),
    },
    store: memoryStore(bed),
    locks: {
      ask: (wanted) => void bed.lockCalls.push(wanted.map(({ gatewayId }) => gatewayId)),
      isTaken: (id) => bed.takenLocks.has(id),
      release: () => {},
    },
    log: { info() {}, warn() {}, error() {} },
    meter,
    limits: disableLimitsDefault,
  };
  return Object.assign(bed, { walker: createWalker(ports) });
}

function wordOf(value: number): Uint8Array {
  return Uint8Array.from([(value >> 8) & 0xff, value & 0xff]);
}

function memoryStore(bed: Omit<WalkBed, 'walker'>): WalkPorts['store'] {
  const { database } = bed;
  const reach = () => {
    if (database.isAway) throw new Error('PostgreSQL is away');
  };
  const heldOf = (leases: readonly { shard: number }[]) =>
    database.isHeld ? leases.map(({ shard }) => ({ shard, wantedBy: database.wantedBy })) : [];
  return {
    async writeBatch(leases, rows) {
      reach();
      if (rows.some((row) => database.refuses(row))) throw new RefusedError('a row is refused');
      bed.batches.push(rows.length);
      if (!database.isHeld) return [];
      for (const { gatewayId, reading, state } of rows) {
        const isNew =
          reading !== null &&
          !bed.rows.some((row) => row.gatewayId === gatewayId && row.readAtMs === reading.readAtMs);
        if (isNew) bed.rows.push({ gatewayId, ...reading });
        if (state !== null) bed.states.set(gatewayId, state);
      }
      return heldOf(leases);
    },
    isRowRefused: (error) => error instanceof RefusedError,
    async renew(leases) {
      reach();
      bed.figures.push(...leases.map(({ figures }) => figures));
      return { held: heldOf(leases), isHalted: database.isHalted };
    },
    async loadShard(_place, known, ids) {
      reach();
      const here = [...bed.gateways.values()].filter(
        ({ id }) => ids === undefined || ids.includes(id),
      );
      const changed = here.filter(({ id, version }) => known.versions.get(id) !== version);
      const asked = ids ?? [...known.versions.keys()];
      return {
        changed,
        goneIds: asked.filter((id) => known.versions.has(id) && !bed.gateways.has(id)),
        past: bed.past.filter(({ gatewayId }) => changed.some(({ id }) => id === gatewayId)),
      };
    },
    loadSites: async () => new Map(),
    saveLearned: async () => {},
    saveLayout: async () => {},
    listRequests: async () => bed.requests.filter(({ id }) => !bed.answers.has(id)),
    async answerRequest(id, answer) {
      reach();
      bed.answers.set(id, answer);
    },
    async evaluate(_lease, ids) {
      reach();
      bed.evaluated.push(...ids);
    },
  };
}

const nothingKnown: LoadedState = {
  status: 'WAITING',
  statusReason: null,
  statusMessage: null,
  statusSinceMs: noonMs,
  lastSlotMs: null,
  lastPolledAtMs: null,
  lastSeenAtMs: null,
  consecutiveFailures: 0,
  failingSinceMs: null,
  recent: '',
  badPoints: {},
  silentUnits: {},
  counters: {},
  lastReading: null,
  nextProbeAtMs: null,
  probes: 0,
  goodProbes: 0,
  disabledAtMs: null,
};

const onePoint: readonly UnitPoint[] = registerPoints([0]);

/** Adds a gateway that is due each ten seconds, on full tens, or replaces it. Each has a port of its own unless given. */
export function putGateway(
  bed: WalkBed,
  id: string,
  different: Partial<Omit<WalkedGateway, 'period' | 'state'>> & {
    period?: Partial<WalkedGateway['period']>;
    state?: Partial<LoadedState>;
  } = {},
): void {
  const { period, state, ...rest } = different;
  const before = bed.gateways.get(id);
  bed.gateways.set(id, {
    id,
    name: id,
    host: '10.0.0.1',
    port: before?.port ?? 1_000 + bed.gateways.size,
    plantId: null,
    priority: 'NORMAL',
    isActive: true,
    pauseReason: null,
    quirks: {},
    units: [{ unitId: 1, quirks: {}, capacityKw: null }],
    mapId: 1,
    points: onePoint,
    alertsSilencedUntilMs: null,
    version: `${Number(before?.version ?? 0) + 1}`,
    ...rest,
    period: {
      fromMs: noonMs - 3_600_000,
      intervalMs: 10_000,
      phaseMs: 0,
      reason: 'ACTIVE',
      ...before?.period,
      ...period,
    },
    state: {
      ...nothingKnown,
      lastSlotMs: noonMs - 10_000,
      lastPolledAtMs: noonMs - 10_000,
      ...state,
    },
  });
}
