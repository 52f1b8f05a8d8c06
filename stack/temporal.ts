import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isServing } from './grpc-health.ts';
import { loopback, type PortBook } from './ports.ts';
import type { EndingStep } from './process.ts';
import { endOrphan, ServerProcess } from './server.ts';
import { startOnFreePorts } from './start.ts';
import { provideTemporal, type TemporalSource } from './temporal-binary.ts';

/** A stop takes about 1 s when nothing delays it. */
const patienceMs = 4_000;
/** Its state is always on disk, so tests, which stop it often, do not wait. */
const ephemeralPatienceMs = 200;

function endingOf(ephemeral: boolean): readonly EndingStep[] {
  return [
    { signal: 'SIGTERM', patienceMs: ephemeral ? ephemeralPatienceMs : patienceMs },
    { signal: 'SIGKILL', patienceMs: 2_000 },
  ];
}

const pidFileName = 'temporal.pid';

/** Search attributes of workflows; added to the namespace when it is created. */
const searchAttributes = ['PlantBrand=Keyword', 'PlantStatus=Keyword'];

/** Settings for every server, independent of its store. */
export const dynamicConfig = {
  // By default a timer fires up to 1 s late. Polls wake 500 ms before their slot; within that time,
  // checking the timers of many plants less often costs the server least.
  'history.timerProcessorMaxTimeShift': '"100ms"',
  // Three checks within a second count as a stuck queue, whose timers then wait for seconds in a slower one. 0: never.
  'history.queueReaderStuckCriticalAttempts': '0',
  // The default, 10,000, lets a burst of signals to one plant block the `pause` behind it; a loop begins a new run anyway.
  'history.maximumSignalsPerExecution': '20000',
  // start-dev holds 8,096 workflows in memory, other servers 128,000: the loops of a bigger fleet would be read from disk at every poll.
  'history.hostLevelCacheMaxSize': '128000',
};

/**
 * Go's runtime below the server (docs/decisions/0010). Garbage collection runs a third as often while memory is
 * not short. It gets half of the cores: with more its scheduler searches for work in vain, and the worker needs cores.
 */
export const goRuntime = {
  GOGC: '300',
  GOMEMLIMIT: '2GiB',
  GOMAXPROCS: String(Math.max(1, Math.floor(availableParallelism() / 2))),
};

export interface TemporalOptions {
  source: TemporalSource;
  dataDir: string;
  namespace: string;
  ephemeral: boolean;
  timeSkipping: boolean;
  ui: boolean;
  ports: PortBook;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

export interface Temporal {
  address: string;
  uiUrl: string | null;
  /** The program that was started; it is also the `temporal` CLI. */
  binary: string;
  server: ServerProcess;
}

type TemporalPorts = Record<'frontend' | 'ui' | 'http' | 'metrics', number>;

/** Starts Temporal's development server on 127.0.0.1 with its state in the data folder. */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { source, dataDir, ports: book, log, signal } = options;
  const ending = endingOf(options.ephemeral);
  await endOrphan('Temporal', join(dataDir, pidFileName), ending);
  const command = await provideTemporal(source, { log, signal });
  return startOnFreePorts(signal, async () => {
    const ports: TemporalPorts = {
      frontend: await book.claim('temporal'),
      ui: await book.claim('temporalUi'),
      http: await book.claim('temporalHttp'),
      metrics: await book.claim('temporalMetrics'),
    };
    const address = `${loopback}:${ports.frontend}`;
    const server = new ServerProcess({
      name: 'Temporal',
      command,
      args: argumentsOf(options, ports),
      cwd: dataDir,
      env: goRuntime,
      account: null,
      logFile: join(dataDir, 'temporal.log'),
      pidFile: join(dataDir, pidFileName),
      ending,
      isReady: () => isServing(address, 'temporal.api.workflowservice.v1.WorkflowService'),
      log,
    });
    await server.start(signal);
    const uiUrl = options.ui ? `http://${loopback}:${ports.ui}` : null;
    return { address, uiUrl, binary: command, server };
  });
}

/** Becomes part of a URL without escaping. The server runs in the data folder, so the bare name always works; the path says more. */
function databaseFile(dataDir: string): string {
  return /[?#%]/.test(dataDir) ? 'temporal.db' : join(dataDir, 'temporal.db');
}

function argumentsOf(options: TemporalOptions, ports: TemporalPorts): string[] {
  const { dataDir, namespace, ephemeral, timeSkipping, ui } = options;
  const config: Record<string, string> = { ...dynamicConfig };
  if (timeSkipping) {
    config['frontend.WorkflowTimeSkippingEnabled'] = 'true';
    // Each time skip waits for this interval.
    config['history.timerProcessorMaxTimeShift'] = '"10ms"';
  }
  // start-dev always serves an HTTP API, which takes writes from any web page that a browser shows (it checks no Origin). No
  // request can name this host, so the API refuses them all. The Web UI and every client speak gRPC.
  config['frontend.httpAllowedHosts'] = '["switched off"]';
  // OFF loses data with the machine, NORMAL and OFF neither with the process.
  const pragmas = ['journal_mode=WAL', `synchronous=${ephemeral ? 'OFF' : 'NORMAL'}`];
  return [
    'server',
    'start-dev',
    `--ip=${loopback}`,
    `--port=${ports.frontend}`,
    `--http-port=${ports.http}`,
    `--metrics-port=${ports.metrics}`,
    ...(ui ? [`--ui-port=${ports.ui}`, '--ui-disable-news-fetch'] : ['--headless']),
    `--namespace=${namespace}`,
    `--db-filename=${databaseFile(dataDir)}`,
    ...pragmas.map((each) => `--sqlite-pragma=${each}`),
    ...searchAttributes.map((each) => `--search-attribute=${each}`),
    ...Object.entries(config).map(([key, value]) => `--dynamic-config-value=${key}=${value}`),
    // Ignores the user's own settings of the CLI.
    '--disable-config-file',
    '--disable-config-env',
  ];
}
