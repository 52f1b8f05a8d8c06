/** The sockets to gateways: one for each host and port, with one request in flight. */

import { canonicalAddress, type Quirks } from '../../domain/gateways/gateway.ts';
import type { Cidr } from '../../domain/gateways/network.ts';
import type {
  Learned,
  QuirksOf,
  ReadRange,
  ResolvedPoint,
} from '../../domain/gateways/read-plan.ts';
import type { PollFailure, RawPoint, RawPoll } from '../../domain/gateways/reading.ts';
import { BackOff, Units } from './back-off.ts';
import { exceptionText } from '../../domain/gateways/exceptions.ts';
import { Line, type LineOptions, lookupAddresses } from './line.ts';
import { type CachedPlan, notAnswered, PlanCache } from './plan-cache.ts';
import { PollRun } from './poll.ts';
import { ModbusStats } from './stats.ts';
import { Aborts, Job, type Wait, Waits } from './waits.ts';

/** One host and port: its socket, its queue, its back-off. It belongs to the process. */
export interface ModbusSite {
  /**
   * Polls the points of one gateway. Polls and reads of one site wait for each other.
   *
   * Never rejects for what the device or the network does.
   */
  poll(request: SitePoll): Promise<SitePollResult>;
  /** One read, outside of any plan. Never rejects for what the device or the network does. */
  read(request: SiteRead): Promise<SiteReadResult>;
  /** Closes the socket at once; polls and reads in flight fail with CLOSED. The site can be used again. */
  close(): void;
}

export interface SitePoll {
  /** Keep the same array while the points stay the same: the plan is then made once. */
  points: readonly ResolvedPoint[];
  /** Keep the same objects while they stay the same, as with `points`. */
  quirksOf: QuirksOf;
  learned: Learned;
  /** For everything, waiting for the site included; ms from now. */
  deadlineMs: number;
  /** Polls although the socket waits after failures: for a person who asked. */
  ignoresBackOff?: boolean;
  /** Ends the poll at once, with CLOSED. */
  signal?: AbortSignal;
}

export interface SitePollResult extends RawPoll {
  /** What is known now; null: nothing new. */
  learned: Learned | null;
  /** What people should know although the poll went well: IDLE_CLOSE or ANOTHER_MASTER. */
  notice: PollFailure | null;
}

export interface SiteRead extends ReadRange {
  quirks: Quirks;
  /** For everything, waiting for the site included; ms from now. */
  deadlineMs: number;
  signal?: AbortSignal;
}

export type SiteReadResult =
  | {
      kind: 'ANSWER';
      /** Registers: two bytes each, as sent. Coils: eight to a byte, the first in the lowest bit. */
      bytes: Uint8Array;
    }
  | { kind: 'EXCEPTION'; code: number }
  | { kind: 'FAILED'; failure: PollFailure };

export interface Sites {
  /** The site of a host and port; gateways of one host and port get the same. */
  of(host: string, port: number): ModbusSite;
  /** Closes a site that no gateway uses any more. */
  forget(host: string, port: number): void;
  /** Closes all sockets. */
  close(): void;
  readonly stats: ModbusStats;
}

export interface SitesOptions {
  /** Loopback and private addresses that may be dialled. */
  networks: readonly Cidr[];
  /** The addresses of a name; the machine's resolver unless given. */
  lookup?: (host: string) => Promise<readonly string[]>;
  /** Ms since the epoch. */
  clock?: () => number;
  /** A clock that never jumps, ms from any start: for back-off. */
  elapsed?: () => number;
  /** Of one request, ms. */
  requestTimeoutMs?: number;
  connectTimeoutMs?: number;
  /** Asked before each connection and each request; while it says no, polls and reads end with CLOSED. Yes unless given. */
  maySend?: () => boolean;
}

const requestTimeoutMs = 1_000;
const connectTimeoutMs = 3_000;

interface Shared {
  waits: Waits;
  aborts: Aborts;
  plans: PlanCache;
  clock: () => number;
  elapsed: () => number;
  line: LineOptions;
}

/** The sites of a process. */
export function createSites(options: SitesOptions): Sites {
  const stats = new ModbusStats();
  const shared: Shared = {
    waits: new Waits(),
    aborts: new Aborts(),
    plans: new PlanCache(),
    clock: options.clock ?? Date.now,
    elapsed: options.elapsed ?? (() => performance.now()),
    line: {
      networks: options.networks,
      lookup: options.lookup ?? lookupAddresses,
      requestTimeoutMs: options.requestTimeoutMs ?? requestTimeoutMs,
      connectTimeoutMs: options.connectTimeoutMs ?? connectTimeoutMs,
      stats,
      maySend: options.maySend ?? (() => true),
    },
  };
  const sites = new Map<string, Site>();
  return {
    stats,
    of(host, port) {
      const name = canonicalAddress(host, port);
      const known = sites.get(name);
      if (known !== undefined) return known;
      const site = new Site({ host, port, name }, shared);
      sites.set(name, site);
      return site;
    },
    forget(host, port) {
      const name = canonicalAddress(host, port);
      sites.get(name)?.close();
      sites.delete(name);
    },
    close() {
      for (const site of sites.values()) site.close();
      sites.clear();
    },
  };
}

class Site implements ModbusSite {
  readonly #name: string;
  readonly #shared: Shared;
  readonly #line: Line;
  readonly #backOff = new BackOff();
  readonly #units = new Units();
  /** Running or waiting for their turn. */
  readonly #jobs = new Set<Job>();
  readonly #queue: Wait<boolean>[] = [];
  #isBusy = false;
  #lastFailure = '';

  constructor({ host, port, name }: { host: string; port: number; name: string }, shared: Shared) {
    this.#name = name;
    this.#shared = shared;
    this.#line = new Line({ host, port, site: name }, shared.line);
  }

  close(): void {
    for (const job of this.#jobs) job.cut();
    this.#line.drop();
  }

  async poll(request: SitePoll): Promise<SitePollResult> {
    return this.#inTurn(request, async (job, hasTurn) => {
      const startedAtMs = this.#shared.clock();
      const unsent = () => request.points.map(() => notAnswered);
      if (!hasTurn)
        return this.#unsent(unsent(), startedAtMs, this.#noTurn(job, request.deadlineMs));
      if (request.ignoresBackOff !== true && this.#leftMs() > 0)
        return this.#unsent(unsent(), startedAtMs, this.#waiting());
      return this.#run(job, request, startedAtMs);
    });
  }

  async read(request: SiteRead): Promise<SiteReadResult> {
    return this.#inTurn(request, async (job, hasTurn) => {
      if (!hasTurn) return { kind: 'FAILED', failure: this.#noTurn(job, request.deadlineMs) };
      this.#line.begin();
      const result = await this.#line.exchange(job, request, request.quirks);
      if (result.kind !== 'FAILED') {
        this.#backOff.clear();
        this.#units.of(request.unitId).backOff.clear();
      } else if (result.by === 'CONNECT') this.#fail(result.failure);
      if (request.quirks.closeAfterPoll) this.#line.drop();
      return result.kind === 'FAILED' ? { kind: 'FAILED', failure: result.failure } : result;
    });
  }

  /** Lets polls and reads run one after the other; `run` learns whether its turn came before its deadline. */
  async #inTurn<T>(
    { deadlineMs, signal }: { deadlineMs: number; signal?: AbortSignal },
    run: (job: Job, hasTurn: boolean) => Promise<T>,
  ): Promise<T> {
    const { waits, aborts } = this.#shared;
    const job = new Job(waits, waits.now() + deadlineMs);
    this.#jobs.add(job);
    const unwatch = signal === undefined ? undefined : aborts.watch(signal, job);
    let hasTurn = !job.isCut;
    if (this.#isBusy && hasTurn) {
      const wait = job.wait(deadlineMs, () => false);
      this.#queue.push(wait);
      hasTurn = await wait.promise;
    }
    if (hasTurn) this.#isBusy = true;
    try {
      return await run(job, hasTurn);
    } finally {
      this.#jobs.delete(job);
      unwatch?.();
      if (hasTurn) this.#passOn();
    }
  }

  #passOn(): void {
    this.#isBusy = false;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      if (next.place >= 0) {
        this.#isBusy = true;
        next.settle(true);
        return;
      }
  }

  async #run(job: Job, request: SitePoll, startedAtMs: number): Promise<SitePollResult> {
    const { points, quirksOf, learned, ignoresBackOff } = request;
    const plan = this.#shared.plans.of(points, { quirksOf, learned, nowMs: startedAtMs });
    if (plan.plan.requests.length === 0)
      return this.#unsent(plan.initial, startedAtMs, nothingToAsk(this.#name, plan));
    const { clock, elapsed } = this.#shared;
    const site = { name: this.#name, line: this.#line, units: this.#units, clock, elapsed };
    const poll = new PollRun(site, job, { plan, points, startedAtMs });
    this.#line.begin();
    await poll.run(ignoresBackOff === true);
    const closed = this.#line.finish();
    if (plan.units.some(({ quirks }) => quirks.closeAfterPoll)) this.#line.drop();
    this.#judge(poll);
    const failure = this.#failureOf(poll);
    const isClosed = failure?.reason === 'CLOSED' && poll.failed?.by !== 'CUT';
    return {
      points: poll.results,
      failure: isClosed ? (closed ?? failure) : failure,
      notice: isClosed ? null : closed,
      isBackOff: poll.failed?.by === 'BACK_OFF' && this.#line.sent === 0,
      startedAtMs,
      measuredAtMs: failure === null || poll.isAlive ? poll.measuredAtMs : clock(),
      requests: this.#line.sent,
      learned: poll.learned === plan.learned ? null : poll.learned,
    };
  }

  /** What the poll says of the way to the gateway: it is open, or it is left alone for a while. */
  #judge({ failed, isAlive }: PollRun): void {
    if (isAlive) this.#backOff.clear();
    else if (failed !== null && failed.by !== 'CUT' && failed.by !== 'BACK_OFF') {
      const isOfUnit = failed.by !== 'CONNECT' && failed.by !== 'PEER';
      const isElsewhere = this.#units.doesAnotherAnswer(failed.unitId, this.#shared.elapsed());
      if (!isOfUnit || !isElsewhere) this.#fail(failed.failure);
    }
  }

  #fail({ message }: PollFailure): void {
    this.#lastFailure = message;
    this.#backOff.fail(this.#shared.elapsed());
  }

  #failureOf(poll: PollRun): PollFailure | null {
    const { failed, results } = poll;
    if (failed === null) {
      if (results.some(({ kind }) => kind === 'BITS')) return null;
      return nothingAnswered(this.#name, results);
    }
    const { unitId, failure, by } = failed;
    const isSilent = failure.reason === 'TIMEOUT' || by === 'BACK_OFF';
    const isElsewhere = this.#units.doesAnotherAnswer(unitId, this.#shared.elapsed());
    if (!isSilent || !isElsewhere || this.#line.sent === 0) return failure;
    return { reason: 'UNIT_SILENT', message: `${failure.message}; other units answer` };
  }

  /** A poll that sent nothing. */
  #unsent(points: readonly RawPoint[], startedAtMs: number, failure: PollFailure): SitePollResult {
    return {
      points,
      failure,
      notice: null,
      isBackOff: failure.reason === 'BACK_OFF',
      startedAtMs,
      measuredAtMs: this.#shared.clock(),
      requests: 0,
      learned: null,
    };
  }

  #noTurn(job: Job, deadlineMs: number): PollFailure {
    if (job.isCut)
      return { reason: 'CLOSED', message: `the poll of ${this.#name} was ended before it began` };
    const message = `${this.#name} was busy with another poll for ${deadlineMs} ms`;
    return { reason: 'TIMEOUT', message };
  }

  #leftMs(): number {
    return this.#backOff.leftMs(this.#shared.elapsed());
  }

  #waiting(): PollFailure {
    const times = this.#backOff.timesText;
    const message = `${this.#name} has failed ${times} and is tried again in ${Math.ceil(this.#leftMs() / 1000)} s; the last time: ${this.#lastFailure}`;
    return { reason: 'BACK_OFF', message };
  }
}

/** Why a plan has no request. */
function nothingToAsk(site: string, { plan, initial }: CachedPlan): PollFailure {
  if (plan.refused.length > 0) return nothingAnswered(site, initial);
  const message =
    initial.length === 0
      ? `${site} has no points to read: give its units a preset or points`
      : `no point of ${site} fits into one request: allow more registers in its quirks`;
  return { reason: 'NO_POINTS', message };
}

/** Why no point has a value although no request failed. */
function nothingAnswered(site: string, points: readonly RawPoint[]): PollFailure {
  const refused = points.find((one) => one.kind === 'EXCEPTION');
  if (refused === undefined)
    return {
      reason: 'PROTOCOL',
      message: `${site} changed its scale factors while its values were read`,
    };
  return {
    reason: `EXCEPTION_${refused.code}`,
    message: `${site} refuses every point: ${exceptionText(refused.code)}`,
  };
}
