import { get as httpGet } from 'node:http';

import { afterEach, describe, expect, test } from 'vitest';

import { Breaker } from '../activities/plants/breaker.ts';
import type { PlantActivities } from '../activities/plants/contract.ts';
import { pollQueue } from '../workflows/plants/messages.ts';
import { createWorkerMetrics, type StepPlace } from './metrics.ts';
import { freeLoopbackAddress, type MetricsServer, serveMetrics } from './metrics-server.ts';

const slotMs = Date.parse('2026-06-01T12:00:00Z');
const poll = {
  plantId: 'canary-plant',
  slotMs,
  jobType: 'POLL',
  trigger: 'SCHEDULE',
  outcome: 'OK',
  startedAtMs: slotMs + 40,
  requestedAtMs: null,
  durationMs: 12,
  attempts: 1,
  errorType: null,
  error: null,
  booked: null,
} as const;

/** Activities that answer what the test says. */
function activitiesOf(answers: Partial<PlantActivities>): PlantActivities {
  return answers as PlantActivities;
}

function metricsAt(place: StepPlace) {
  const metrics = createWorkerMetrics(() => place);
  return {
    metrics,
    /** The value of one line of Prometheus' text; null without it. */
    async value(line: string): Promise<number | null> {
      const found = (await metrics.text()).split('\n').find((each) => each.startsWith(`${line} `));
      return found === undefined ? null : Number(found.slice(line.length + 1));
    },
  };
}

const local = { taskQueue: pollQueue('HUAWEI'), isLocal: true };

describe("a worker's metrics", () => {
  test('count a poll by brand, outcome and trigger, and how late it began', async () => {
    const { metrics, value } = metricsAt(local);
    const { writePollLog } = metrics.measured(activitiesOf({ writePollLog: async () => {} }));
    await writePollLog(poll);
    await writePollLog({ ...poll, outcome: 'FAILED', trigger: 'MANUAL' });
    await writePollLog({ ...poll, jobType: 'DAILY' });
    expect(
      await value('heliograph_polls_total{brand="HUAWEI",outcome="OK",trigger="SCHEDULE"}'),
    ).toBe(1);
    expect(
      await value('heliograph_polls_total{brand="HUAWEI",outcome="FAILED",trigger="MANUAL"}'),
    ).toBe(1);
    expect(await value('heliograph_poll_late_seconds_count{brand="HUAWEI"}')).toBe(1);
    expect(await value('heliograph_poll_late_seconds_sum{brand="HUAWEI"}')).toBeCloseTo(0.04);
  });

  test('count every slot that a span of missed ones stands for', async () => {
    const { metrics, value } = metricsAt(local);
    const { writeMissed } = metrics.measured(activitiesOf({ writeMissed: async () => {} }));
    await writeMissed({
      plantId: 'canary-plant',
      intervalMs: 1_000,
      rows: { fromMs: slotMs, toMs: slotMs + 4_000 },
      overflow: { slotMs: slotMs - 1_000, slots: 7 },
    });
    expect(
      await value('heliograph_polls_total{brand="HUAWEI",outcome="MISSED",trigger="SCHEDULE"}'),
    ).toBe(12);
  });

  test("time the vendor's answers by what they were, and tell a limit that was met from one that was kept", async () => {
    const { metrics, value } = metricsAt(local);
    const failure = (asked: boolean) => ({
      kind: 'VENDOR_FAILURE' as const,
      nowMs: slotMs,
      durationMs: 250,
      failure: { type: 'RATE_LIMIT_EXCEEDED' as const, message: 'canary-message' },
      credentialsVersion: 1,
      asked,
    });
    const answers = [failure(true), failure(false)];
    const { fetchReadings } = metrics.measured(
      activitiesOf({ fetchReadings: async () => answers.shift() ?? failure(false) }),
    );
    const args = { plantId: 'canary-plant', slotMs, nowMs: slotMs, intervalMs: 60_000 };
    await fetchReadings(args);
    await fetchReadings(args);
    const outcome = 'heliograph_fetch_seconds_count{brand="HUAWEI",outcome="RATE_LIMIT_EXCEEDED"}';
    expect(await value(outcome)).toBe(1);
    expect(await value('heliograph_rate_limits_total{brand="HUAWEI",asked="yes"}')).toBe(1);
    expect(await value('heliograph_rate_limits_total{brand="HUAWEI",asked="no"}')).toBe(1);
    expect(await metrics.text()).not.toContain('canary');
  });

  test('tell local steps from regular ones, and those that failed, whose error goes on as it is', async () => {
    const { metrics, value } = metricsAt({ taskQueue: pollQueue('SOLIS'), isLocal: false });
    const failing = new Error('the database is away');
    const { planPlant } = metrics.measured(
      activitiesOf({ planPlant: () => Promise.reject(failing) }),
    );
    await expect(planPlant({ plantId: 'p', nowMs: slotMs })).rejects.toBe(failing);
    const line = 'heliograph_step_seconds_count{step="planPlant",path="regular",result="error"}';
    expect(await value(line)).toBe(1);
  });

  test('show which brands the breaker keeps off the local path', async () => {
    const { metrics, value } = metricsAt(local);
    const breaker = new Breaker();
    metrics.watch(breaker);
    expect(await value('heliograph_breaker_open{brand="SOLIS"}')).toBe(0);
    for (let cuts = 0; cuts < 3; cuts += 1) breaker.localCut('SOLIS');
    expect(await value('heliograph_breaker_open{brand="SOLIS"}')).toBe(1);
    expect(await value('heliograph_breaker_open{brand="DELE"}')).toBe(0);
  });

  test('count calls that Redis did not answer', async () => {
    const { metrics, value } = metricsAt(local);
    metrics.lockFailed();
    expect(await value('heliograph_lock_failures_total')).toBe(1);
  });
});

describe('their address', () => {
  const opened: MetricsServer[] = [];
  afterEach(() => Promise.all(opened.splice(0).map((server) => server.close())));

  const log = { error: () => {} } as never;
  async function open(options: Partial<Parameters<typeof serveMetrics>[0]> = {}) {
    const server = await serveMetrics({
      address: '127.0.0.1:0',
      contentType: 'text/plain; version=0.0.4',
      own: async () => 'ours 1',
      sdkAddress: null,
      isHealthy: () => true,
      log,
      ...options,
    });
    opened.push(server);
    return server;
  }

  test("gives ours and the SDK's in one text", async () => {
    const sdk = await open({ own: async () => 'temporal_something 2\n' });
    const { url } = await open({ sdkAddress: new URL(sdk.url).host });
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(await response.text()).toBe('ours 1\ntemporal_something 2\n');
  });

  test('gives ours where the SDK does not answer', async () => {
    const { url } = await open({ sdkAddress: await freeLoopbackAddress() });
    expect(await (await fetch(`${url}/metrics`)).text()).toBe('ours 1\n');
  });

  test('says whether the queues are served', async () => {
    let healthy = false;
    const { url } = await open({ isHealthy: () => healthy });
    expect((await fetch(`${url}/health`)).status).toBe(503);
    healthy = true;
    const response = await fetch(`${url}/health`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  });

  test('has nothing else, and takes nothing', async () => {
    const { url } = await open();
    expect((await fetch(`${url}/`)).status).toBe(404);
    expect((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405);
  });

  test('of this machine answers to names of this machine only', async () => {
    const { url } = await open();
    const { port } = new URL(url);
    const ask = (host: string) =>
      new Promise((resolve, reject) => {
        const headers = { host };
        httpGet({ host: '127.0.0.1', port, path: '/metrics', headers }, (answer) =>
          resolve(answer.resume().statusCode),
        ).on('error', reject);
      });
    expect(await ask(`localhost:${port}`)).toBe(200);
    expect(await ask('evil.example')).toBe(403);
  });

  test('that is taken is refused with a sentence', async () => {
    const { url } = await open();
    await expect(open({ address: new URL(url).host })).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringContaining('EADDRINUSE'),
    });
  });
});
