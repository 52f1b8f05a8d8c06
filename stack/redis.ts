import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ownFolder } from './data-dir.ts';
import { loopback, type PortBook } from './ports.ts';
import { findOnPath, type EndingStep } from './process.ts';
import { endOrphan, ServerProcess } from './server.ts';
import { messageOf } from './stack-error.ts';
import { startOnFreePorts } from './start.ts';

/** Valkey is a fork of Redis with the same protocol. */
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
  /** Port on which to look for an existing Redis; 6379 by default. */
  sharedPort?: number;
  log: (line: string) => void;
  signal?: AbortSignal | undefined;
}

export interface Redis {
  /** Null: there is none. */
  url: string | null;
  /** Prefix of every key if other programs share the Redis; else empty. */
  keyPrefix: string;
  server: ServerProcess | null;
}

/** Starts a Redis, else uses the one on this machine, else none. Redis only saves vendor calls that PostgreSQL would refuse to book. */
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
  mkdirSync(folder, { recursive: true, mode: ownFolder });
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

/** Locks last minutes: keep nothing on disk, and evict nothing before it expires. */
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

/** Another Redis may have taken the port while ours was starting. */
async function isServedBy(port: number, pid: number): Promise<boolean> {
  const info = await ask(port, 'INFO server');
  return info !== null && info.split(/\r?\n/).includes(`process_id:${pid}`);
}

/** The raw answer to one command; null without an answer in time. */
export async function ask(port: number, command: string): Promise<string | null> {
  const socket = connect({ port, host: loopback });
  socket.setTimeout(answerLimitMs, () => socket.destroy(new Error('no answer in time')));
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString();
  });
  // After QUIT the connection ends with the answer.
  socket.write(`${command}\r\nQUIT\r\n`);
  try {
    await once(socket, 'close');
    return answer.replace(/\r\n\+OK\r\n$/, '');
  } catch {
    return null;
  }
}
