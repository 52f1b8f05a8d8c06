import type { Command, CommandIo } from '../../command.ts';
import { type Config, requireMockMode } from '../../../environment/config.ts';
import { createLog, type Log } from '../../../environment/log.ts';
import { warnOfUnknownVariables } from '../../../environment/unknown-variables.ts';
import { createWorkerMetrics } from '../../../worker/metrics.ts';
import {
  freeLoopbackAddress,
  type MetricsServer,
  serveMetrics,
} from '../../../worker/metrics-server.ts';
import {
  endRuntime,
  installRuntime,
  type RunningWorker,
  startWorker,
} from '../../../worker/worker.ts';

/** `heliograph worker`: polls until a signal stops it. */
export const worker: Command = {
  name: 'worker',
  usage: '',
  async run({ config: readConfig, io }) {
    const config = readConfig();
    requireMockMode(config);
    await runUntilStopped(config, io, {
      createMetrics: createWorkerMetrics,
      start: (log, metrics) =>
        startWorker({ config, log, ...(metrics === null ? {} : { metrics }) }),
    });
  },
};

interface Metrics {
  text(): Promise<string>;
  contentType: string;
}

/** Runs a worker with its metrics until a signal stops it. */
export async function runUntilStopped<Counts extends Metrics>(
  config: Config,
  io: CommandIo,
  {
    createMetrics,
    start,
  }: {
    createMetrics: () => Counts;
    /** @param metrics null: nobody wants them. */
    start: (log: Log, metrics: Counts | null) => Promise<RunningWorker>;
  },
): Promise<void> {
  const log = createLog(config.LOG_LEVEL);
  warnOfUnknownVariables(io.env, log);
  let running: RunningWorker | null = null;
  const isHealthy = () => running?.isRunning() ?? false;
  const metrics = await openMetrics({ config, log, isHealthy }, createMetrics);
  installRuntime(log, metrics?.sdkAddress ?? null);
  try {
    running = await start(log, metrics?.counts ?? null);
  } catch (error) {
    await metrics?.server.close();
    await endRuntime();
    throw error;
  }
  const { stop: stopPolling, finished } = running;
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'worker stops: running work finishes first');
    stopPolling();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // A child of `heliograph start` ends with its parent, even when that is killed.
  process.once('disconnect', () => stop('SIGTERM'));
  process.send?.('started');
  await finished;
  await metrics?.server.close();
  log.info({}, 'worker stopped');
  process.disconnect?.();
}

interface OpenedMetrics<Counts> {
  counts: Counts;
  server: MetricsServer;
  sdkAddress: string;
}

/** Null if METRICS_ADDRESS is not set. Serves before the worker starts, so that `/health` says that it does not run yet. */
async function openMetrics<Counts extends Metrics>(
  { config, log, isHealthy }: { config: Config; log: Log; isHealthy: () => boolean },
  createMetrics: () => Counts,
): Promise<OpenedMetrics<Counts> | null> {
  if (config.METRICS_ADDRESS === undefined) return null;
  const counts = createMetrics();
  const sdkAddress = await freeLoopbackAddress();
  const server = await serveMetrics({
    address: config.METRICS_ADDRESS,
    contentType: counts.contentType,
    own: () => counts.text(),
    sdkAddress,
    isHealthy,
    log,
  });
  log.info({ url: server.url }, 'metrics are served');
  return { counts, server, sdkAddress };
}
