import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { isServing } from './grpc-health.ts';
import { loopback, type PortBook } from './ports.ts';
import type { EndingStep } from './process.ts';
import { endOrphan, ServerProcess } from './server.ts';
import { startOnFreePorts } from './start.ts';
import { provideTemporal, type TemporalSource } from './temporal-binary.ts';

/** It needs about 1 s when nothing keeps it. */
const patienceMs = 4_000;
/** Its state is on disk at any moment: tests, which stop it often, do not wait. */
const ephemeralPatienceMs = 200;

function endingOf(ephemeral: boolean): readonly EndingStep[] {
  return [
    { signal: 'SIGTERM', patienceMs: ephemeral ? ephemeralPatienceMs : patienceMs },
    { signal: 'SIGKILL', patienceMs: 2_000 },
  ];
}

const pidFileName = 'temporal.pid';

/** By which workflows are found; added to the namespace when it is first made. */
const searchAttributes = ['PlantBrand=Keyword', 'PlantStatus=Keyword'];

/** What every server of ours is told, whatever its store. */
export const dynamicConfig = {
  // By default a timer fires up to 1 s late. Polls are woken 500 ms before their slot: within that, rarer looks at the timers
  // of many plants cost the server least.
  'history.timerProcessorMaxTimeShift': '"100ms"',
  // Three looks within a second are taken for a stuck queue, whose timers then wait for seconds in a slower one. 0: never.
  'history.queueReaderStuckCriticalAttempts': '0',
  // 10,000 by default, of which a burst to one plant leaves nothing for the `pause` behind it; a loop begins a new run anyway.
  'history.maximumSignalsPerExecution': '20000',
  // start-dev holds 8,096 workflows in memory, other servers 128,000: a bigger fleet would be read from disk at every poll.
  'history.hostLevelCacheMaxSize': '128000',
};

/**
 * Go's runtime below the server (docs/decisions/0010). Memory for CPU: its garbage is collected a third as often, as long as
 * memory is not short. Half of the cores: on all of them it looks for work where there is none, and the worker needs its own.
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
  /** The program that was started; it is the `temporal` CLI as well. */
  binary: string;
  server: ServerProcess;
}

interface TemporalPorts {
  frontend: number;
  ui: number;
  http: number;
  metrics: number;
}

/** Starts Temporal's development server on 127.0.0.1 with its state in the data folder. */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { source, dataDir, ports: book, log, signal } = options;
  const ending = endingOf(options.ephemeral);
  await endOrphan('Temporal', join(dataDir, pidFileName), ending);
  const command = await provideTemporal(source, log, signal);
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
    return {
      address,
      uiUrl: options.ui ? `http://${loopback}:${ports.ui}` : null,
      binary: command,
      server,
    };
  });
}

/** Part of a URL, in which it is not escaped. It is run in the data folder, so the bare name always works; the path tells more. */
function databaseFile(dataDir: string): string {
  return /[?#%]/.test(dataDir) ? 'temporal.db' : join(dataDir, 'temporal.db');
}

function argumentsOf(options: TemporalOptions, ports: TemporalPorts): string[] {
  const { dataDir, namespace, ephemeral, timeSkipping, ui } = options;
  const config: Record<string, string> = { ...dynamicConfig };
  if (timeSkipping) {
    config['frontend.WorkflowTimeSkippingEnabled'] = 'true';
    // Each skip waits for it.
    config['history.timerProcessorMaxTimeShift'] = '"10ms"';
  }
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
    // The user's own settings of the CLI have no say here.
    '--disable-config-file',
    '--disable-config-env',
  ];
}
