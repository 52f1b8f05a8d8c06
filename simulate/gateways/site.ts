import type { WalkSite, WalkSites } from '../../activities/gateways/walk/ports.ts';
import type { PollFailure, RawPoint } from '../../domain/gateways/reading.ts';
import { randomOf } from '../random.ts';
import type { SimulatedProcess, VirtualTime } from './clock.ts';
import type { Device, PointKey } from './device.ts';
import { type HostFault, isWithin, type SiteLife } from './life.ts';
import { bytesOf } from './points.ts';

/** The sockets of a simulated site: who is asked when, what he answers, and how a socket waits after failures. */

type SitePoll = Parameters<WalkSite['poll']>[0];
type SitePollResult = Awaited<ReturnType<WalkSite['poll']>>;

/** A poll as the device saw it. */
export interface SeenPoll {
  gatewayId: string;
  process: SimulatedProcess;
  fromMs: number;
  /** Null: it is under way. */
  toMs: number | null;
  isBackOff: boolean;
  isGood: boolean;
  /** The walker gave it up, or its process ended. */
  isCut: boolean;
}

const backOffS = [1, 2, 5, 10, 20, 40, 60];
/** A poll without trouble takes so long, ms. */
const quickMs = { min: 5, max: 80 };

export class Hosts {
  readonly polls: SeenPoll[] = [];
  readonly #site: SiteLife;
  readonly #time: VirtualTime;
  readonly #devices: ReadonlyMap<string, Device>;
  #asked = 0;

  constructor(site: SiteLife, time: VirtualTime, devices: ReadonlyMap<string, Device>) {
    this.#site = site;
    this.#time = time;
    this.#devices = devices;
  }

  /** The sockets of one process: they are gone with it. */
  of(process: SimulatedProcess): WalkSites {
    const sockets = new Map<string, Socket>();
    return {
      of: (host) => {
        let socket = sockets.get(host);
        if (socket === undefined) {
          socket = { failures: 0, waitsUntilMs: -Infinity };
          sockets.set(host, socket);
        }
        return this.#socketOf(process, host, socket);
      },
      forget: (host) => void sockets.delete(host),
    };
  }

  #socketOf(process: SimulatedProcess, host: string, socket: Socket): WalkSite {
    return {
      poll: (request) => this.#poll(process, { host, socket }, request),
      read: () => Promise.reject(new Error('nobody reads single registers here')),
    };
  }

  #poll(
    process: SimulatedProcess,
    { host, socket }: { host: string; socket: Socket },
    request: SitePoll,
  ): Promise<SitePollResult> {
    const fromMs = this.#time.nowMs;
    const gatewayId = request.points[0]?.name ?? '';
    const waits = fromMs < socket.waitsUntilMs && request.ignoresBackOff !== true;
    const fate = waits ? { ms: 0, failure: waiting } : this.#fateOf(host, fromMs, request);
    const seen: SeenPoll = {
      gatewayId,
      process,
      fromMs,
      toMs: null,
      isBackOff: waits,
      isGood: fate.failure === null,
      isCut: false,
    };
    this.polls.push(seen);
    return new Promise((resolve) => {
      let isOver = false;
      const cut = (): void => {
        if (isOver) return;
        isOver = true;
        seen.toMs ??= this.#time.nowMs;
        seen.isCut = true;
        resolve(this.#result(request, seen, closed));
      };
      request.signal?.addEventListener('abort', cut, { once: true });
      this.#time.at(fromMs + fate.ms, () => {
        request.signal?.removeEventListener('abort', cut);
        if (isOver) return;
        seen.toMs = this.#time.nowMs;
        seen.isCut = process.isKilled;
        if (!waits) settle(socket, fate.failure, seen.toMs);
        // What the device answered lies at the process until it reads it.
        const answer = this.#result(request, seen, fate.failure);
        process.deliver(() => {
          isOver = true;
          resolve(answer);
        });
      });
    });
  }

  #fateOf(
    host: string,
    atMs: number,
    { deadlineMs }: SitePoll,
  ): { ms: number; failure: PollFailure | null } {
    this.#asked += 1;
    const random = randomOf(this.#site.seed, host, this.#asked);
    const faults = this.#site.hosts.find((one) => one.host === host)?.faults ?? [];
    const has = (kind: HostFault['kind']): boolean =>
      isWithin(
        faults.filter((fault) => fault.kind === kind),
        atMs,
      );
    if (isWithin(this.#site.network, atMs) || has('DEAD')) return { ms: 3, failure: refused };
    if (has('HANG') || (has('FLAKY') && random.chance(0.25)))
      return { ms: Math.min(1_000, deadlineMs), failure: timeout };
    const ms = has('SLOW') ? random.int(500, 9_500) : random.int(quickMs.min, quickMs.max);
    return ms > deadlineMs ? { ms: deadlineMs, failure: timeout } : { ms, failure: null };
  }

  #result(request: SitePoll, seen: SeenPoll, failure: PollFailure | null): SitePollResult {
    const measuredAtMs = seen.toMs ?? this.#time.nowMs;
    const device = this.#devices.get(seen.gatewayId);
    let partly: PollFailure | null = null;
    const points = request.points.map(({ unitId, key }): RawPoint => {
      if (failure !== null || device === undefined) return { kind: 'NOT_ANSWERED' };
      if (device.isSilent(unitId, seen.fromMs)) {
        partly = silent;
        return { kind: 'NOT_ANSWERED' };
      }
      if (device.isRefused(unitId, key, seen.fromMs)) {
        partly = illegal;
        return { kind: 'EXCEPTION', code: 2 };
      }
      const { raw } = device.show(unitId as 1 | 2, key as PointKey, measuredAtMs);
      return { kind: 'BITS', bytes: bytesOf(raw), scaleFactor: null };
    });
    return {
      points,
      failure: failure ?? partly,
      isBackOff: seen.isBackOff,
      startedAtMs: seen.fromMs,
      measuredAtMs,
      requests: seen.isBackOff ? 0 : 2,
      learned: null,
      notice: null,
    };
  }
}

interface Socket {
  failures: number;
  waitsUntilMs: number;
}

function settle(socket: Socket, failure: PollFailure | null, atMs: number): void {
  if (failure === null) {
    socket.failures = 0;
    socket.waitsUntilMs = -Infinity;
    return;
  }
  const waitS = backOffS[Math.min(socket.failures, backOffS.length - 1)] ?? 60;
  socket.failures += 1;
  socket.waitsUntilMs = atMs + waitS * 1_000;
}

const refused: PollFailure = { reason: 'CONNECTION_REFUSED', message: 'the connection is refused' };
const timeout: PollFailure = { reason: 'TIMEOUT', message: 'a request was not answered in time' };
const waiting: PollFailure = { reason: 'BACK_OFF', message: 'the socket waits after failures' };
const closed: PollFailure = { reason: 'CLOSED', message: 'the socket was closed' };
const silent: PollFailure = { reason: 'UNIT_SILENT', message: 'unit 2 does not answer' };
const illegal: PollFailure = { reason: 'EXCEPTION_2', message: 'illegal data address' };
