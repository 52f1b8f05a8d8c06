import { lookup } from 'node:dns';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

import { urlProblem } from '../../domain/notifications/url.ts';
import { retryAfterMs } from '../retry-after.ts';
import type { Sent } from './contract.ts';

/** One HTTP request to an address that a person gave: resolved once, never redirected, cut off in time and in size. */

const connectMsMax = 10_000;
/** More of an answer is not read. */
const answerBytesMax = 64 * 1024;

/** Addresses that no message goes to: the metadata services of clouds, and what never leaves the wire. */
const forbidden = new BlockList();
forbidden.addSubnet('169.254.0.0', 16, 'ipv4');
forbidden.addSubnet('0.0.0.0', 8, 'ipv4');
forbidden.addSubnet('224.0.0.0', 3, 'ipv4');
forbidden.addAddress('100.100.100.200', 'ipv4');
forbidden.addAddress('168.63.129.16', 'ipv4');
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addSubnet('ff00::', 8, 'ipv6');
forbidden.addAddress('::', 'ipv6');
forbidden.addAddress('fd00:ec2::254', 'ipv6');
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export interface HttpAnswer {
  status: number;
  /** Seconds or a date; null: the receiver names no time. */
  retryAfter: string | null;
  body: string;
}

function isIn(list: BlockList, address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  return list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

/** The connection may not go there. */
export class ForbiddenAddressError extends Error {
  override readonly name = 'ForbiddenAddressError';
}

/** Resolves a name once, and refuses it if any of its addresses is forbidden; http stays on this machine. */
function guardedLookup(isPlain: boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const isRefused = found.some(
        ({ address }) => isIn(forbidden, address) || (isPlain && !isIn(loopback, address)),
      );
      const refusal = new ForbiddenAddressError(
        'the name leads to an address that messages do not go to',
      );
      if (isRefused) return callback(refusal, []);
      const [first] = found;
      if (options.all === true) return callback(null, found);
      callback(null, first?.address ?? '', first?.family ?? 4);
    });
  };
}

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string | null;
}

/**
 * Sends one request, whose first byte leaves after `handsOver`.
 *
 * @throws ForbiddenAddressError; the reason of `signal`; what `handsOver` throws; an error with a `code` where the network fails.
 */
export function sendHttp(
  { method, url, headers, body }: HttpRequest,
  { signal, handsOver }: { signal: AbortSignal; handsOver: () => Promise<void> },
): Promise<HttpAnswer> {
  const target = new URL(url);
  const host = target.hostname.replaceAll(/[[\]]/g, '');
  if (isIP(host) !== 0 && isIn(forbidden, host))
    return Promise.reject(new ForbiddenAddressError('messages do not go to this address'));
  const isPlain = target.protocol === 'http:';
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const request = (isPlain ? httpRequest : httpsRequest)(target, {
    method,
    headers: {
      ...headers,
      ...(body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    },
    lookup: guardedLookup(isPlain),
    agent: false,
    signal,
  });
  request.once('error', (error) => reject(signal.aborted ? signal.reason : error));
  request.once('response', (response) => {
    readAnswer(response).then(resolve, reject);
  });
  whenConnected(request, isPlain, () => {
    handsOver().then(
      () => request.end(body ?? undefined),
      (error: unknown) => {
        reject(error);
        request.destroy();
      },
    );
  });
  return promise;
}

function whenConnected(request: ClientRequest, isPlain: boolean, run: () => void): void {
  request.once('socket', (socket) => {
    const late = setTimeout(
      () => request.destroy(Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' })),
      connectMsMax,
    );
    socket.once('close', () => clearTimeout(late));
    socket.once(isPlain ? 'connect' : 'secureConnect', () => {
      clearTimeout(late);
      run();
    });
  });
}

async function readAnswer(response: IncomingMessage): Promise<HttpAnswer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > answerBytesMax) break;
    chunks.push(chunk);
  }
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'] ?? null,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

/** A receiver that asks for more than this is not obeyed: a mistake would silence a channel for good. */
const retryAfterMsMax = 3_600_000;
/** A receiver that asks for less would be asked at once again. */
const retryAfterMsMin = 1_000;
const retryAfterMsDefault = 60_000;

/** What an answer means: 2xx is sent; 408, 429 and 5xx are tried again; anything else refuses the channel. */
export function sentOf({ status, retryAfter }: HttpAnswer, nowMs: number): Sent {
  if (status >= 200 && status < 300)
    return { outcome: 'SENT', answer: `taken with HTTP ${status}` };
  if (status === 429)
    return {
      outcome: 'RETRY',
      answer: 'HTTP 429, too many messages',
      retryAfterMs: waitMs(retryAfter, nowMs),
    };
  if (status === 408 || status >= 500) return { outcome: 'RETRY', answer: `HTTP ${status}` };
  if (status >= 300 && status < 400)
    return { outcome: 'CHANNEL_REFUSED', answer: `HTTP ${status}: redirects are not followed` };
  return { outcome: 'CHANNEL_REFUSED', answer: `refused with HTTP ${status}` };
}

function waitMs(retryAfter: string | null, nowMs: number): number {
  const askedMs = retryAfterMs(retryAfter, nowMs) ?? retryAfterMsDefault;
  return Math.min(Math.max(askedMs, retryAfterMsMin), retryAfterMsMax);
}

/** Sends, and puts what fails on the way into a value. */
export async function attemptHttp(
  request: HttpRequest,
  options: { signal: AbortSignal; handsOver: () => Promise<void> },
  nowMs: number,
): Promise<{ sent: Sent; answer: HttpAnswer | null }> {
  const problem = urlProblem(request.url);
  if (problem !== null)
    return {
      sent: { outcome: 'CHANNEL_REFUSED', answer: `the URL cannot be used: ${problem}` },
      answer: null,
    };
  try {
    const answer = await sendHttp(request, options);
    return { sent: sentOf(answer, nowMs), answer };
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof ForbiddenAddressError)
      return { sent: { outcome: 'CHANNEL_REFUSED', answer: error.message }, answer: null };
    const { code } = error as { code?: unknown };
    if (typeof code !== 'string') throw error;
    return { sent: { outcome: 'RETRY', answer: `no answer (${code})` }, answer: null };
  }
}
