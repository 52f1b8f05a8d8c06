import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import type { WalkMeter } from '../activities/gateways/walk/ports.ts';
import type { GatewaysMeter } from './gateways.ts';
import { roundTripBucketsMs } from '../adapters/modbus/stats.ts';

/**
 * The metrics of a worker of gateways, for Prometheus. Only the success rate has the ids of gateways as labels, and of the
 * worst ones alone.
 */

/** A punctual poll is a few ms late; ten seconds are an interval. */
const lateBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10];
const pollBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10];
/** So many gateways are named, those with the lowest success rate first. */
const namedMax = 200;

type Parts = Parameters<GatewaysMeter['watch']>[0];

export function createGatewayMetrics() {
  const register = new Registry();
  collectDefaultMetrics({ register });
  const registers = [register];
  const counts = createCounts(registers);
  return {
    ...counts,
    watch: (parts: Parts) => watch(parts, registers),
    /** Prometheus' text format. */
    text: () => register.metrics(),
    contentType: register.contentType,
  };
}

function createCounts(registers: Registry[]): WalkMeter {
  const polls = new Counter({
    name: 'heliograph_gateway_polls_total',
    help: 'Polls of gateways that ended.',
    labelNames: ['outcome', 'trigger'] as const,
    registers,
  });
  const failures = new Counter({
    name: 'heliograph_gateway_failures_total',
    help: 'Polls of gateways that failed, by reason.',
    labelNames: ['reason'] as const,
    registers,
  });
  const missed = new Counter({
    name: 'heliograph_gateway_slots_missed_total',
    help: 'Slots that nobody polled, by reason.',
    labelNames: ['reason'] as const,
    registers,
  });
  const late = new Histogram({
    name: 'heliograph_gateway_poll_late_seconds',
    help: 'How long after its slot a poll began.',
    buckets: lateBuckets,
    registers,
  });
  const durations = new Histogram({
    name: 'heliograph_gateway_poll_seconds',
    help: 'Duration of polls.',
    buckets: pollBuckets,
    registers,
  });
  const bad = new Counter({
    name: 'heliograph_gateway_points_bad_total',
    help: 'Points that a poll found BAD.',
    registers,
  });
  return {
    polled({ outcome, trigger, reason, lateMs, durationMs, quality }) {
      polls.inc({ outcome, trigger });
      if (outcome === 'FAILED') failures.inc({ reason: reason ?? 'UNKNOWN' });
      if (lateMs !== null) late.observe(lateMs / 1_000);
      if (durationMs !== null) durations.observe(durationMs / 1_000);
      for (const code of quality ?? []) if (code > badCodesFrom) bad.inc();
    },
    missed: (slots, reason) => missed.inc({ reason }, slots),
  };
}

/** Codes of `qualityCode` above this are BAD. */
const badCodesFrom = 2;

/** Reads what the parts count themselves, at each scrape. */
function watch({ sites: { stats }, walker, shards }: Parts, registers: Registry[]): void {
  const gauge = (name: string, help: string, read: () => number) =>
    void new Gauge({
      name: `heliograph_gateway_${name}`,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('leases', 'Shards that this worker walks.', () => shards.count());
  gauge('active_polls', 'Polls under way.', () => walker.totals().polling);
  gauge('gateways', 'Gateways of these shards.', () => walker.totals().gateways);
  gauge('rows_buffered', 'Rows that wait to be written.', () => walker.totals().rows);
  const total = (name: string, help: string, read: () => number) => {
    let before = 0;
    void new Counter({
      name: `heliograph_gateway_${name}_total`,
      help,
      registers,
      collect() {
        const now = read();
        this.inc(now - before);
        before = now;
      },
    });
  };
  total('requests', 'Requests that were sent.', () => stats.requests);
  total('connects', 'Connections that were opened.', () => stats.connects);
  total(
    'reconnects',
    'Connections opened again because an idle one was closed.',
    () => stats.reconnects,
  );
  total('timeouts', 'Requests without an answer in time.', () => stats.timeouts);
  total('frames_rejected', 'Frames that could not be the answer.', () => stats.rejectedFrames);
  total('frames_late', 'Frames that came when nothing was asked.', () => stats.lateFrames);
  watchExceptions(stats, registers);
  watchRoundTrips(stats, registers);
  watchSuccess(walker, registers);
}

function watchExceptions(stats: Parts['sites']['stats'], registers: Registry[]): void {
  const before = new Map<number, number>();
  void new Counter({
    name: 'heliograph_gateway_exceptions_total',
    help: 'Answers that were exceptions, by code.',
    labelNames: ['code'] as const,
    registers,
    collect() {
      for (const [code, count] of stats.exceptions) {
        this.inc({ code }, count - (before.get(code) ?? 0));
        before.set(code, count);
      }
    },
  });
}

/** The sockets count round trips in buckets; the metric is a counter by bucket, and their sum. */
function watchRoundTrips(stats: Parts['sites']['stats'], registers: Registry[]): void {
  const before: number[] = [];
  void new Counter({
    name: 'heliograph_gateway_round_trips_total',
    help: 'Answers by round trip: at most `le` ms, and more than the next smaller one.',
    labelNames: ['le'] as const,
    registers,
    collect() {
      for (const [index, count] of stats.roundTrips.entries()) {
        this.inc({ le: String(roundTripBucketsMs[index] ?? '+Inf') }, count - (before[index] ?? 0));
        before[index] = count;
      }
    },
  });
}

function watchSuccess(walker: Parts['walker'], registers: Registry[]): void {
  void new Gauge({
    name: 'heliograph_gateway_success_ratio',
    help: `Share of a gateway's last 20 polls that brought values; of the ${namedMax} gateways with the lowest share.`,
    labelNames: ['gateway'] as const,
    registers,
    collect() {
      this.reset();
      for (const { id, share } of walker.successRates(namedMax)) this.set({ gateway: id }, share);
    },
  });
}
