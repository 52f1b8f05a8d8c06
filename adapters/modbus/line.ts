/** The way to one host and port: connects when there is something to ask, and knows when idle connections are taken away. */

import { lookup as resolve } from 'node:dns/promises';

import type { Quirks } from '../../domain/gateways/gateway.ts';
import { addressProblem, type Cidr, parseAddress } from '../../domain/gateways/network.ts';
import type { ReadRange } from '../../domain/gateways/read-plan.ts';
import type { PollFailure } from '../../domain/gateways/reading.ts';
import { type Failed, failed, rangeText } from './failures.ts';
import { type Exchange, ModbusSocket } from './socket.ts';
import type { ModbusStats } from './stats.ts';
import type { Job } from './waits.ts';

export interface LineOptions {
  networks: readonly Cidr[];
  lookup: (host: string) => Promise<readonly string[]>;
  requestTimeoutMs: number;
  connectTimeoutMs: number;
  stats: ModbusStats;
  maySend: () => boolean;
}

/** The machine's resolver. */
export async function lookupAddresses(host: string): Promise<string[]> {
  const found = await resolve(host, { all: true });
  return found.map(({ address }) => address);
}

/** So many polls running must find their connection closed before it is told. */
const closesTold = 3;
/** Idle times that differ by no more than this, or a fifth, come from one and the same timer. */
const sameIdleMs = 50;

export class Line {
  readonly #host: string;
  readonly #port: number;
  readonly #site: string;
  readonly #options: LineOptions;
  #socket: ModbusSocket | null = null;
  /** Which of the host's addresses is tried: another one after a failure. */
  #turn = 0;
  /** In this poll: requests sent. */
  sent = 0;
  /** In this poll: the connection was made again and the request sent again. */
  #hasResent = false;
  /** In this poll: how long the connection had been idle when it proved closed, ms. */
  #closedAfterMs: number | null = null;
  /** The same of the polls before, while each found it closed. */
  #closes: number[] = [];

  /** @param site what failures call it. */
  constructor(
    { host, port, site }: { host: string; port: number; site: string },
    options: LineOptions,
  ) {
    this.#host = host;
    this.#port = port;
    this.#site = site;
    this.#options = options;
  }

  /** Closes the connection; the next request opens another. */
  drop(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  /** A poll or read begins. */
  begin(): void {
    this.sent = 0;
    this.#hasResent = false;
    this.#closedAfterMs = null;
  }

  /** A poll or read has ended. @returns what people should know of the connection; null: nothing. */
  finish(): PollFailure | null {
    if (this.#closedAfterMs === null) {
      this.#closes = [];
      return null;
    }
    this.#closes = [...this.#closes, this.#closedAfterMs].slice(-closesTold);
    return this.#closes.length < closesTold ? null : this.#closedNotice();
  }

  #closedNotice(): PollFailure {
    const least = Math.min(...this.#closes);
    const most = Math.max(...this.#closes);
    if (most > 0 && most - least <= Math.max(sameIdleMs, most / 5))
      return {
        reason: 'IDLE_CLOSE',
        message: `${this.#site} closes connections that were idle for ${(most / 1000).toFixed(1)} s; to connect anew for each poll, set the quirk "close after poll"`,
      };
    return {
      reason: 'ANOTHER_MASTER',
      message: `${this.#site} closed the connection in ${closesTold} polls running, at no fixed time: another client may take it away; let only one client poll this gateway`,
    };
  }

  /**
   * Sends a request and waits for its answer, connecting first where there is no connection. A connection that was idle and
   * proves dead is made again once in a poll, and the request sent again; after a time-out never.
   */
  async exchange(job: Job, range: ReadRange, quirks: Quirks): Promise<Exchange> {
    const { requestTimeoutMs: timeoutMs, stats, maySend } = this.#options;
    for (;;) {
      if (!maySend()) return this.#heldBack(range);
      const socket = this.#opened() ?? (await this.#connect(job));
      if ('kind' in socket) return socket;
      const pauseMs = pauseLeftMs(socket, quirks);
      if (pauseMs > 0) await job.pause(pauseMs);
      if (job.leftMs === 0) return this.#tooLate(range);
      if (!maySend()) return this.#heldBack(range);
      const wasUsed = socket.answers > 0;
      this.sent += 1;
      const result = await socket.ask(job, range, { tolerances: quirks, timeoutMs });
      if (result.kind !== 'FAILED' || result.by !== 'PEER') return result;
      this.#closedAfterMs ??= wasUsed ? performance.now() - socket.lastAtMs : 0;
      if (!wasUsed || this.#hasResent) return result;
      this.#hasResent = true;
      stats.reconnects += 1;
    }
  }

  #heldBack(range: ReadRange): Failed {
    const message = `nothing may be sent now: ${this.#site} was not asked ${rangeText(range)}`;
    return failed('CUT', 'CLOSED', message);
  }

  #tooLate(range: ReadRange): Failed {
    const message = `the time of the poll of ${this.#site} was over before it asked ${rangeText(range)}`;
    return failed('TIMEOUT', 'TIMEOUT', message);
  }

  #opened(): ModbusSocket | null {
    const socket = this.#socket;
    if (socket === null || socket.isOpen) return socket;
    this.#socket = null;
    if (socket.idleCloseMs === null) return null;
    this.#closedAfterMs ??= socket.idleCloseMs;
    this.#options.stats.reconnects += 1;
    return null;
  }

  async #connect(job: Job): Promise<ModbusSocket | Failed> {
    const { stats, connectTimeoutMs } = this.#options;
    const startedAtMs = performance.now();
    const address = await this.#address(job, connectTimeoutMs);
    if (typeof address !== 'string') return address;
    const socket = new ModbusSocket({ address, port: this.#port, site: this.#site }, stats);
    this.#socket = socket;
    const leftMs = Math.max(0, connectTimeoutMs - (performance.now() - startedAtMs));
    const failure = await socket.connected(job, leftMs);
    if (failure === null) return socket;
    this.drop();
    this.#turn += 1;
    return failure;
  }

  /** Resolves the host once, and gives the address that was checked: nothing resolves it again. */
  async #address(job: Job, timeoutMs: number): Promise<string | Failed> {
    const host = this.#host.replaceAll(/[[\]]/g, '');
    const found = parseAddress(host) === null ? await this.#lookup(job, timeoutMs) : [host];
    if ('kind' in found) return found;
    const { networks } = this.#options;
    const open = found.filter((one) => addressProblem(one, networks) === null);
    const chosen = open[this.#turn % open.length];
    if (chosen !== undefined) return chosen;
    const [first] = found;
    if (first === undefined) return this.#notFound('it has no address');
    return failed(
      'CONNECT',
      'ADDRESS_REFUSED',
      `${this.#site}: ${addressProblem(first, networks)}`,
    );
  }

  async #lookup(job: Job, timeoutMs: number): Promise<readonly string[] | Failed> {
    const wait = job.wait<readonly string[] | Failed>(timeoutMs, (why) =>
      why === 'CUT'
        ? failed(
            'CUT',
            'CLOSED',
            `the poll of ${this.#site} was ended before its name was resolved`,
          )
        : this.#notFound(`the resolver did not answer within ${timeoutMs} ms`),
    );
    this.#options.lookup(this.#host).then(
      (addresses) => wait.settle(addresses),
      (error: NodeJS.ErrnoException) => wait.settle(this.#notFound(error.code ?? error.message)),
    );
    return wait.promise;
  }

  #notFound(why: string): Failed {
    return failed('CONNECT', 'NAME_NOT_FOUND', `the name of ${this.#site} leads nowhere (${why})`);
  }
}

function pauseLeftMs(socket: ModbusSocket, quirks: Quirks): number {
  const pauseMs = socket.answers === 0 ? quirks.pauseAfterConnectMs : quirks.pauseBetweenRequestsMs;
  return pauseMs === 0 ? 0 : socket.lastAtMs + pauseMs - performance.now();
}
