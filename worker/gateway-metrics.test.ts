import { once } from 'node:events';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  exceptionAnswer,
  inTurn,
  type Peer,
  type PeerRequest,
  registersAnswer,
  rightly,
  startPeer,
} from '../test/support/modbus/peer.ts';
import { registerPoints, testGateway, testSites } from '../test/support/modbus/sites.ts';
import { createWalkBed, noonMs, putGateway, type WalkBed } from '../test/support/walk.ts';
import type { Sites } from '../adapters/modbus/site.ts';
import { createGatewayMetrics } from './gateway-metrics.ts';

/** What Prometheus reads of a worker of gateways: a walker on a virtual clock, and sockets to a device on loopback. */

const second = 1_000;

let metrics: ReturnType<typeof createGatewayMetrics>;
let bed: WalkBed;
let peer: Peer;
let sites: Sites;

beforeEach(async () => {
  metrics = createGatewayMetrics();
  bed = createWalkBed(noonMs - 500, metrics);
  peer = await startPeer();
  sites = testSites();
  const { walker } = bed;
  metrics.watch({ sites, walker, shards: { count: () => walker.shards().length } });
});

afterEach(async () => {
  bed.walker.close();
  sites.close();
  await peer.close();
});

/** The value of one line of Prometheus' text, without `heliograph_gateway_`; null without the line. */
async function value(line: string): Promise<number | null> {
  const start = `heliograph_gateway_${line} `;
  const found = (await metrics.text()).split('\n').find((each) => each.startsWith(start));
  return found === undefined ? null : Number(found.slice(start.length));
}

async function begin(): Promise<void> {
  bed.walker.walk({ shard: 0, shards: 1 }, 1);
  await bed.clock.pass(10);
}

describe('of the walk', () => {
  test('count polls by outcome and trigger, failures by reason, and the success of each gateway', async () => {
    putGateway(bed, 'good', { port: 1 });
    putGateway(bed, 'weak', { port: 2 });
    await begin();
    await bed.clock.pass(5 * second);
    bed.behaviours.set(2, { failure: { reason: 'TIMEOUT', message: 'no answer' } });
    await bed.clock.pass(30 * second);
    expect(await value('polls_total{outcome="OK",trigger="SCHEDULE"}')).toBe(5);
    expect(await value('polls_total{outcome="FAILED",trigger="SCHEDULE"}')).toBe(3);
    expect(await value('failures_total{reason="TIMEOUT"}')).toBe(3);
    expect(await value('success_ratio{gateway="good"}')).toBe(1);
    expect(await value('success_ratio{gateway="weak"}')).toBe(0.25);
  });

  test('say how late polls began and how long they took', async () => {
    putGateway(bed, 'first', { port: 7 });
    putGateway(bed, 'second', { port: 7 });
    bed.behaviours.set(7, { takesMs: 400 });
    await begin();
    await bed.clock.pass(5 * second);
    expect(await value('poll_late_seconds_count')).toBe(2);
    expect(await value('poll_late_seconds_sum')).toBeCloseTo(0.4);
    expect(await value('poll_late_seconds_bucket{le="0.25"}')).toBe(1);
    expect(await value('poll_seconds_sum')).toBeCloseTo(0.8);
  });

  test('show leases held, gateways, polls under way, and rows that wait', async () => {
    expect(await value('leases')).toBe(0);
    putGateway(bed, 'hangs');
    putGateway(bed, 'answers');
    bed.behaviours.set(1_000, { takesMs: 7_000 });
    await begin();
    bed.database.isAway = true;
    await bed.clock.pass(3 * second);
    expect(await value('leases')).toBe(1);
    expect(await value('gateways')).toBe(2);
    expect(await value('active_polls')).toBe(1);
    expect(await value('rows_buffered')).toBe(1);
    bed.database.isAway = false;
    await bed.clock.pass(6 * second);
    expect(await value('active_polls')).toBe(0);
    expect(await value('rows_buffered')).toBe(0);
  });

  test('count every slot that a row of missed ones stands for', async () => {
    putGateway(bed, 'a', { state: { lastSlotMs: noonMs - 60 * second } });
    await begin();
    await bed.clock.pass(second);
    expect(await value('slots_missed_total{reason="NO_WORKER"}')).toBe(5);
  });

  test('count the points that are BAD, and not those without a value', async () => {
    const poll = { trigger: 'SCHEDULE', outcome: 'PARTIAL', reason: 'RANGE' } as const;
    const others = { lateMs: 0, durationMs: 5, requests: 1 };
    // GOOD, MISSING twice, BAD(RANGE), BAD(LENGTH), BAD(EXCEPTION 2)
    metrics.polled({ ...poll, ...others, quality: [0, 1, 2, 3, 5, 102] });
    expect(await value('points_bad_total')).toBe(3);
  });
});

describe('of the sockets', () => {
  const gateway = () => testGateway(sites.of('127.0.0.1', peer.port), registerPoints([0]));

  test('count requests, connections, round trips and exceptions by code', async () => {
    peer.reply = inTurn(rightly, (request) => exceptionAnswer(request, 6));
    const one = gateway();
    await one.poll();
    await one.poll();
    expect(await value('requests_total')).toBe(peer.requests.length);
    expect(await value('connects_total')).toBe(1);
    expect(await value('exceptions_total{code="6"}')).toBeGreaterThanOrEqual(1);
    const text = await metrics.text();
    const trips = text.matchAll(/^heliograph_gateway_round_trips_total\{le="[^"]+"\} (\d+)$/gm);
    const answered = [...trips].reduce((sum, [, count]) => sum + Number(count), 0);
    expect(answered).toBe(peer.requests.length);
    // A second scrape counts nothing twice.
    expect(await value('requests_total')).toBe(peer.requests.length);
  });

  test('count connections that were made again, requests without an answer, and late frames', async () => {
    const one = gateway();
    await one.poll();
    peer.reply = inTurn((_request, socket) => void socket.end(), rightly);
    await one.poll();
    expect(await value('reconnects_total')).toBe(1);
    const [socket] = peer.sockets;
    const closed = once(socket as NonNullable<typeof socket>, 'close');
    const asked = peer.requests.at(-1) as PeerRequest;
    socket?.write(registersAnswer({ ...asked, transactionId: asked.transactionId + 1 }, [6]));
    await closed;
    expect(await value('frames_late_total')).toBe(1);
    peer.reply = () => {};
    await one.poll({ deadlineMs: 300 });
    expect(await value('timeouts_total')).toBeGreaterThanOrEqual(1);
  });
});
