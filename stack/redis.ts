import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { loopback, type PortBook } from './ports.ts';
import { findOnPath, type EndingStep } from './process.ts';
import { endOrphan, ServerProcess } from './server.ts';
import { messageOf } from './stack-error.ts';
import { startOnFreePorts } from './start.ts';

/** Valkey is Redis under its other name. */
const programs = ['redis-server', 'valkey-server'];
const pidFileName = 'redis.pid';
const defaultPort = 6379;
const answerLimitMs = 500;

const ending: readonly EndingStep[] = [
  { signal: 'SIGTERM', patienceMs: 3_000 },
  { signal: 'SIGKILL', patienceMs: 1_500 },
];

export interface RedisOptions {
  dataDir: string;
  ports: PortBook;
  path: string | undefined;
  /** Where a Redis that is not ours is looked for; 6379 by default. */
  sharedPort?: number;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

export interface Redis {
  /** Null: there is none. */
  url: string | null;
  /** Before every key, where the Redis is not ours alone; else empty. */
  keyPrefix: string;
  server: ServerProcess | null;
}

/** A Redis of our own, else the one on this machine, else none: it only saves vendor calls that PostgreSQL would refuse to book. */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const { dataDir, log, signal, sharedPort = defaultPort } = options;
  await endOrphan('Redis', join(dataDir, pidFileName), ending);
  for (const name of programs) {
    const program = findOnPath(name, options.path);
    if (program === null) continue;
    try {
      return await startOwn(program, options);
    } catch (error) {
      signal?.throwIfAborted();
      log(`Redis: ${program} does not start. ${messageOf(error)}`);
    }
  }
  if ((await ask(sharedPort, 'PING')) === '+PONG') {
    const keyPrefix = `heliograph:${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}:`;
    log(
      `Redis: neither ${programs.join(' nor ')} is on the PATH; using the one on ${loopback}:${sharedPort}, with keys below "${keyPrefix}"`,
    );
    return { url: `redis://${loopback}:${sharedPort}`, keyPrefix, server: null };
  }
  log(
    `Redis: NONE. Polls go on without locks. Install redis-server or valkey-server (\`apt install redis-server\`, \`brew install redis\`), or set REDIS_URL.`,
  );
  return { url: null, keyPrefix: '', server: null };
}

function startOwn(program: string, { dataDir, ports, log, signal }: RedisOptions): Promise<Redis> {
  const folder = join(dataDir, 'redis');
  mkdirSync(folder, { recursive: true });
  return startOnFreePorts(signal, async () => {
    const port = await ports.claim('redis');
    const server = new ServerProcess({
      name: 'Redis',
      command: program,
      args: argumentsOf(port, folder),
      cwd: folder,
      account: null,
      logFile: join(dataDir, 'redis.log'),
      pidFile: join(dataDir, pidFileName),
      ending,
      isReady: (pid) => isServedBy(port, pid),
      log,
    });
    await server.start(signal);
    return { url: `redis://${loopback}:${port}`, keyPrefix: '', server };
  });
}

/** Locks live for minutes: nothing is kept on disk, and nothing is evicted before its time. */
function argumentsOf(port: number, folder: string): string[] {
  const settings = {
    port: String(port),
    bind: loopback,
    dir: folder,
    save: '',
    appendonly: 'no',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/** Somebody else's Redis may have taken the port while ours was starting. */
async function isServedBy(port: number, pid: number): Promise<boolean> {
  const info = await ask(port, 'INFO server');
  return info !== null && info.split(/\r?\n/).includes(`process_id:${pid}`);
}

/** The answer to one command, as Redis writes it; null when nobody answers in time. */
export async function ask(port: number, command: string): Promise<string | null> {
  const socket = connect({ port, host: loopback });
  socket.setTimeout(answerLimitMs, () => socket.destroy(new Error('no answer in time')));
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  // QUIT: the end of the answer is the end of the connection.
  socket.write(`${command}\r\nQUIT\r\n`);
  try {
    await once(socket, 'close');
    return answer.replace(/\r\n\+OK\r\n$/, '');
  } catch {
    return null;
  }
}
