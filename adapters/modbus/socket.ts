/** One TCP connection to a gateway: one request in flight, and an end at the first doubt. */

import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';

import type { ReadRange } from '../../domain/gateways/read-plan.ts';
import { connectFailure, type Failed, failed, frameFailure, rangeText } from './failures.ts';
import {
  answerBytesMax,
  type FrameRequest,
  judgeAnswer,
  requestBytes,
  type Tolerances,
  valueBytes,
  valuesAt,
  writeRequest,
} from './frame.ts';
import type { ModbusStats } from './stats.ts';
import type { GivenUp, Job, Wait } from './waits.ts';

export type Exchange =
  | { kind: 'ANSWER'; bytes: Uint8Array }
  | { kind: 'EXCEPTION'; code: number }
  | Failed;

interface Asked {
  range: ReadRange;
  request: FrameRequest;
  tolerances: Tolerances;
  wait: Wait<Exchange>;
  sentAtMs: number;
}

const transactionIds = 0x1_0000;

export class ModbusSocket {
  /** How many requests were answered on this connection. */
  answers = 0;
  /** When the last answer came, or the connection was made; on the clock of `performance`. */
  lastAtMs = 0;
  /** How long it had been idle when the other side closed it, ms; null: it did not, or a request was in flight. */
  idleCloseMs: number | null = null;
  readonly #site: string;
  readonly #stats: ModbusStats;
  readonly #socket: Socket;
  readonly #out = Buffer.allocUnsafeSlow(requestBytes);
  readonly #in = new Uint8Array(answerBytesMax);
  /** What came of an answer in more than one piece. */
  readonly #frame = new Uint8Array(answerBytesMax);
  #received = 0;
  #transactionId = randomInt(transactionIds);
  #state: 'CONNECTING' | 'OPEN' | 'CLOSED' = 'CONNECTING';
  #connecting: Wait<Failed | null> | null = null;
  #asked: Asked | null = null;

  /** @param site what failures call it. */
  constructor(
    { address, port, site }: { address: string; port: number; site: string },
    stats: ModbusStats,
  ) {
    this.#site = site;
    this.#stats = stats;
    stats.connects += 1;
    this.#socket = connect({
      host: address,
      port,
      noDelay: true,
      autoSelectFamily: false,
      onread: {
        buffer: this.#in,
        callback: (bytes: number): boolean => {
          this.#receive(bytes);
          return this.#state === 'OPEN';
        },
      },
    });
    this.#socket
      .on('connect', () => {
        this.#state = 'OPEN';
        this.lastAtMs = performance.now();
        this.#connecting?.settle(null);
      })
      .on('end', () => this.#ended(undefined))
      .on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code))
      .on('close', () => this.#ended(undefined));
  }

  get isOpen(): boolean {
    return this.#state === 'OPEN';
  }

  /** @returns null once there is a connection. */
  connected(job: Job, timeoutMs: number): Promise<Failed | null> {
    const wait = job.wait<Failed | null>(timeoutMs, (why) => {
      this.destroy();
      const message = `${this.#site} did not accept a connection within ${timeoutMs} ms`;
      return why === 'CUT' ? this.#cut() : failed('CONNECT', 'CONNECT_TIMEOUT', message);
    });
    this.#connecting = wait;
    return wait.promise;
  }

  /** Sends one request and waits for its answer. After anything but an answer or an exception the connection is closed. */
  ask(
    job: Job,
    range: ReadRange,
    { tolerances, timeoutMs }: { tolerances: Tolerances; timeoutMs: number },
  ): Promise<Exchange> {
    if (this.#state === 'CLOSED') return Promise.resolve(this.#closedByPeer(range));
    this.#transactionId = (this.#transactionId + 1) % transactionIds;
    const request = { ...range, transactionId: this.#transactionId };
    const limitMs = Math.min(timeoutMs, job.leftMs);
    const wait = job.wait<Exchange>(limitMs, (why) => this.#givenUp(why, range, limitMs));
    if (job.isCut) return wait.promise;
    this.#received = 0;
    this.#asked = { range, request, tolerances, wait, sentAtMs: performance.now() };
    this.#stats.requests += 1;
    writeRequest(this.#out, request);
    this.#socket.write(this.#out);
    return wait.promise;
  }

  /** Closes at once. */
  destroy(): void {
    this.#state = 'CLOSED';
    this.#socket.destroy();
  }

  #givenUp(why: GivenUp, range: ReadRange, timeoutMs: number): Failed {
    this.#asked = null;
    this.destroy();
    if (why === 'CUT') return this.#cut();
    this.#stats.timeouts += 1;
    const message = `${this.#site} did not answer ${rangeText(range)} within ${Math.round(timeoutMs)} ms`;
    return failed('TIMEOUT', 'TIMEOUT', message);
  }

  #cut(): Failed {
    return failed('CUT', 'CLOSED', `the poll of ${this.#site} was ended before its answer`);
  }

  #closedByPeer(range: ReadRange): Failed {
    const message = `${this.#site} closed the connection instead of answering ${rangeText(range)}`;
    return failed('PEER', 'CLOSED', message);
  }

  /** The other side ended the connection, or the network did. */
  #ended(code: string | undefined): void {
    if (this.#state === 'CLOSED') return;
    const asked = this.#asked;
    this.#asked = null;
    if (this.#state === 'CONNECTING') this.#connecting?.settle(connectFailure(this.#site, code));
    else if (asked === null) this.idleCloseMs = performance.now() - this.lastAtMs;
    else if (this.#received === 0) asked.wait.settle(this.#closedByPeer(asked.range));
    else {
      const message = `${this.#site} closed the connection in the middle of its answer to ${rangeText(asked.range)}`;
      asked.wait.settle(failed('FRAME', 'CLOSED', message));
    }
    this.destroy();
  }

  #receive(bytes: number): void {
    if (this.#state !== 'OPEN') return;
    const asked = this.#asked;
    if (asked === null) {
      // Nothing was asked: a late answer, or somebody else's. It must not become the next one's.
      this.#stats.lateFrames += 1;
      this.destroy();
      return;
    }
    const before = this.#received;
    this.#received = before + bytes;
    // Most answers come in one piece, which is judged where it lies.
    const frame = before === 0 ? this.#in : this.#frame;
    if (before > 0) this.#keep(before, bytes);
    const judgement = judgeAnswer(frame, this.#received, asked);
    if (judgement.kind === 'MORE') {
      if (before === 0) this.#keep(before, bytes);
      return;
    }
    this.#asked = null;
    if (judgement.kind === 'PROBLEM') {
      this.#stats.rejectedFrames += 1;
      this.destroy();
      asked.wait.settle(frameFailure(this.#site, asked.range, judgement));
      return;
    }
    this.answers += 1;
    this.lastAtMs = performance.now();
    this.#stats.answered(this.lastAtMs - asked.sentAtMs);
    if (judgement.kind === 'EXCEPTION') {
      this.#stats.exception(judgement.code);
      asked.wait.settle(judgement);
    } else {
      const end = valuesAt + valueBytes(asked.range);
      asked.wait.settle({ kind: 'ANSWER', bytes: frame.slice(valuesAt, end) });
    }
  }

  #keep(at: number, bytes: number): void {
    const room = Math.max(0, Math.min(bytes, this.#frame.length - at));
    this.#frame.set(this.#in.subarray(0, room), at);
  }
}
