import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Kysely } from 'kysely';

import { hashPassword } from '../../api/auth/passwords.ts';
import { openDatabase } from '../../db/database.ts';
import type { Database, Role } from '../../db/tables.ts';
import { insertUser } from '../../db/people/users.ts';

/** The whole product in processes of its own, as `npm start` runs it: servers, worker, API, demo fleet. */
export interface RunningProduct {
  url: string;
  db: Kysely<Database>;
  /** Process ids of the worker and of the API. */
  workerPid: number;
  apiPid: number;
  /** What `start` has said until now. */
  said(): string;
  user(email: string, role: Role, options?: { customerId?: string; lent?: boolean }): Promise<void>;
  stop(): Promise<void>;
}

const startMsMax = 120_000;
const stopMsMax = 20_000;

export const passwordOf = (email: string): string => `password of ${email}`;

export async function startProduct(): Promise<RunningProduct> {
  const dataDir = mkdtempSync(join(tmpdir(), 'heliograph-browser-'));
  const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'start', '--data', dataDir], {
    env: { ...process.env, API_PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => void output.push(chunk.toString()));
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const stack = await readStack(child, join(dataDir, 'stack.json'), output);
    const db = openDatabase({ url: stack.database_url });
    return {
      url: stack.api_url,
      db,
      workerPid: pidOf(child, 'worker'),
      apiPid: pidOf(child, 'api'),
      said: () => output.join(''),
      async user(email, role, options = {}) {
        const passwordHash = await hashPassword(passwordOf(email));
        const customerId = options.customerId ?? null;
        const mustChangePassword = options.lent === true;
        const user = { email, passwordHash, role, customerId, mustChangePassword };
        await insertUser(db, user, { actor: 'test', requestId: null }, new Date());
      },
      async stop() {
        await db.destroy();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits until the API listens: its address stands in `stack.json` then. */
async function readStack(
  child: ChildProcess,
  path: string,
  output: readonly string[],
): Promise<{ api_url: string; database_url: string }> {
  const endMs = Date.now() + startMsMax;
  while (Date.now() < endMs) {
    if (child.exitCode !== null) break;
    try {
      const stack = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string | null>;
      const { api_url, database_url } = stack;
      if (typeof api_url === 'string' && typeof database_url === 'string')
        return { api_url, database_url };
    } catch {
      // Not written yet, or being written.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`the product did not start:\n${output.join('').slice(-4_000)}`);
}

/** The process that `start` runs for a command. */
function pidOf(parent: ChildProcess, command: string): number {
  const children = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8');
  for (const pid of children.trim().split(' ')) {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (args.some((arg) => arg.endsWith('main.ts')) && args.includes(command)) return Number(pid);
  }
  throw new Error(`start runs no ${command}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
  await exit;
  clearTimeout(timer);
}
