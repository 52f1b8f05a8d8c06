import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { issueToken } from '../api/auth/tokens.ts';
import { findUserByEmail, insertUser } from '../db/people/users.ts';
import { alignedText, runBench, say, wholeNumber } from './command.ts';
import { type BenchFleet, startFleet } from './fleet.ts';
import { endProcess } from './processes.ts';
import { countProgress, readLateness, readVersions, rounded } from './readings.ts';
import { type BenchWorker, startBenchWorker } from './worker.ts';

/**
 * `npm run bench:api -- [--plants 1000] [--polls-per-s 30] [--seconds 30] [--connections 8] [--json FILE]`: measures how
 * quickly the API answers the fleet's list, alone and during polling, and what the reads cost the polls. It uses a stack, a
 * worker and an API of its own.
 *
 * Four spans, one after the other: polls alone (`polls_alone`); reads at the wanted rate during polling (`at_rate`), whose
 * lateness is compared with the first span; reads as fast as possible during polling (`at_most`); and, with the worker
 * stopped, reads at the wanted rate (`at_rate_alone`), whose p99 is compared with the p99 during polling.
 */

interface Arguments {
  plants: number;
  pollsPerS: number;
  seconds: number;
  connections: number;
  jsonFile: string | null;
}

/** The required rate and ratios. */
const wanted = { requestsPerS: 300, p99Ratio: 3, latenessRatio: 2 };
/** Below this, lateness is noise of the machine, and a ratio means nothing. */
const latenessFloorMs = 10;
const path = '/api/v1/plants?limit=100';
const email = 'bench@example.org';
const startMsMax = 60_000;

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      plants: { type: 'string', default: '1000' },
      'polls-per-s': { type: 'string', default: '30' },
      seconds: { type: 'string', default: '30' },
      connections: { type: 'string', default: '8' },
      json: { type: 'string' },
    },
  });
  const whole = (name: 'plants' | 'polls-per-s' | 'seconds' | 'connections') =>
    wholeNumber(name, values[name], 999_999);
  return {
    plants: whole('plants'),
    pollsPerS: whole('polls-per-s'),
    seconds: whole('seconds'),
    connections: whole('connections'),
    jsonFile: values.json ?? null,
  };
}

interface BenchApi {
  url: string;
  stop(): Promise<void>;
}

/** The production API in a process of its own. */
async function startApi(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<BenchApi> {
  const mainPath = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, [mainPath, 'api'], {
    env: { ...env, API_HOST: '127.0.0.1', API_PORT: '0', LOG_LEVEL: 'info' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    return { url: await addressOf(child, signal), stop: () => endProcess(child) };
  } catch (error) {
    await endProcess(child);
    throw error;
  }
}

/** The address that the API logs once it listens. */
async function addressOf(child: ChildProcess, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
      if (url !== undefined) resolve(url);
    });
  }
  child.once('exit', () => reject(new Error(`the API ended by itself: ${output}`)));
  const limit = delay(startMsMax, undefined, { signal }).then(() => {
    throw new Error('the API did not start in time');
  });
  limit.catch(() => {});
  return Promise.race([promise, limit]);
}

/** One GET over a kept connection. @returns how long it took, ms. */
function get(agent: Agent, url: string, token: string): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { agent, headers: { authorization: `Bearer ${token}` } },
      (answer) => {
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(performance.now() - startedAt);
          else reject(new Error(`${url} answered ${answer.statusCode}`));
        });
        answer.resume();
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

/**
 * Reads the list over all connections for a span.
 *
 * @param perS maximum number of requests a second; null: as many as possible.
 */
async function readList(
  { url, token, connections }: { url: string; token: string; connections: number },
  seconds: number,
  perS: number | null,
) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const tookMs: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1_000;
  let sent = 0;
  const reader = async () => {
    while (performance.now() < endsAt) {
      const dueAt = perS === null ? 0 : startedAt + (sent * 1_000) / perS;
      sent += 1;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await delay(waitMs);
      tookMs.push(await get(agent, url, token));
    }
  };
  await Promise.all(Array.from({ length: connections }, reader));
  agent.destroy();
  const spanS = (performance.now() - startedAt) / 1_000;
  tookMs.sort((a, b) => a - b);
  const quantile = (part: number) =>
    rounded(tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * part))] ?? 0);
  return {
    requests: tookMs.length,
    requests_per_s: rounded(tookMs.length / spanS),
    p50_ms: quantile(0.5),
    p99_ms: quantile(0.99),
    max_ms: quantile(1),
  };
}

async function addReader(fleet: BenchFleet): Promise<void> {
  await insertUser(
    fleet.db,
    {
      email,
      // No person signs in with it.
      passwordHash: '-',
      role: 'OPERATOR',
      customerId: null,
      mustChangePassword: false,
    },
    { actor: 'bench', requestId: null },
    new Date(),
  );
}

/** A token for the next span. */
async function tokenFor({ db, env }: BenchFleet): Promise<string> {
  const user = await findUserByEmail(db, email);
  if (user === undefined) throw new Error('the reader of the bench is gone');
  const who = { userId: user.id, sessionVersion: user.session_version };
  return (await issueToken({ jwtKey: env['JWT_SECRET'] ?? '' }, who, Date.now())).token;
}

async function bench(args: Arguments, signal: AbortSignal) {
  say('bringing up a stack of its own');
  const intervalS = Math.max(1, Math.round(args.plants / args.pollsPerS));
  const fleet = await startFleet({ plants: args.plants, intervalS, say, signal });
  let worker: BenchWorker | null = null;
  let api: BenchApi | null = null;
  try {
    fleet.env['JWT_SECRET'] = randomBytes(32).toString('base64');
    worker = await startBenchWorker(fleet.env, signal);
    say(
      `polling ${args.plants} plants every ${intervalS} s, once each, so that there is something to read`,
    );
    while ((await countProgress(fleet, 0)).plants < args.plants)
      await Promise.race([delay(2_000, undefined, { signal }), worker.ended]);
    api = await startApi(fleet.env, signal);
    await addReader(fleet);
    const url = `${api.url}${path}`;
    const { seconds, connections } = args;
    const readFor = async (name: string, perS: number | null) => {
      say(`${name}: ${seconds} s`);
      const fromMs = Date.now();
      const list = await readList(
        { url, token: await tokenFor(fleet), connections },
        seconds,
        perS,
      );
      return { list, lateness: await readLateness(fleet.db, fromMs, Date.now()) };
    };
    await readFor('warming up', null);
    say(`polls alone: ${seconds} s`);
    const aloneFromMs = Date.now();
    await Promise.race([delay(seconds * 1_000, undefined, { signal }), worker.ended]);
    const pollsAlone = await readLateness(fleet.db, aloneFromMs, Date.now());
    const atRate = await readFor('the list at the wanted rate, while polling', wanted.requestsPerS);
    const atMost = await readFor('the list as fast as it goes, while polling', null);
    await worker.stop();
    worker = null;
    const { list: atRateAlone } = await readFor(
      'the wanted rate, nobody polls',
      wanted.requestsPerS,
    );
    return {
      plants: args.plants,
      interval_s: intervalS,
      connections,
      polls_alone: pollsAlone,
      at_rate: atRate,
      at_most: atMost,
      at_rate_alone: atRateAlone,
      p99_ratio: rounded(atRate.list.p99_ms / atRateAlone.p99_ms),
      lateness_ratio: rounded(
        Math.max(latenessFloorMs, atRate.lateness?.p99_ms ?? Infinity) /
          Math.max(latenessFloorMs, pollsAlone?.p99_ms ?? 0),
      ),
      versions: await readVersions(fleet),
    };
  } finally {
    await api?.stop();
    await worker?.stop();
    await fleet.stop();
  }
}

type Result = Awaited<ReturnType<typeof bench>>;

/** The unmet requirements; empty if all are met. */
function misses(result: Result): string[] {
  return [
    ...(result.at_most.list.requests_per_s < wanted.requestsPerS
      ? [`fewer than ${wanted.requestsPerS} requests/s while polling`]
      : []),
    ...(result.p99_ratio > wanted.p99Ratio
      ? [`p99 while polling is more than ${wanted.p99Ratio} times the p99 without`]
      : []),
    ...(result.lateness_ratio > wanted.latenessRatio
      ? ["reading more than doubles the p99 of the polls' lateness"]
      : []),
  ];
}

function resultText(result: Result): string {
  const ofList = (list: Result['at_rate_alone']) =>
    `${list.requests_per_s} requests/s, p50 ${list.p50_ms} ms, p99 ${list.p99_ms} ms, max ${list.max_ms} ms`;
  const ofPolls = (lateness: Result['polls_alone']) =>
    lateness === null
      ? 'no poll'
      : `${lateness.polls} polls, late p50 ${lateness.p50_ms} ms, p99 ${lateness.p99_ms} ms`;
  const { versions } = result;
  const lines: [string, string][] = [
    [
      'fleet',
      `${result.plants} plants every ${result.interval_s} s, ${result.connections} readers`,
    ],
    ['polls alone', ofPolls(result.polls_alone)],
    ['at the wanted rate', `${ofList(result.at_rate.list)}; ${ofPolls(result.at_rate.lateness)}`],
    ['as fast as it goes', `${ofList(result.at_most.list)}; ${ofPolls(result.at_most.lateness)}`],
    ['nobody polls', ofList(result.at_rate_alone)],
    ['ratios', `p99 ${result.p99_ratio}, lateness ${result.lateness_ratio}`],
    [
      'on',
      `Node ${versions.node}, PostgreSQL ${versions.postgresql}, ${versions.cores} × ${versions.cpu}`,
    ],
    ...misses(result).map((miss): [string, string] => ['MISSED', miss]),
  ];
  return alignedText(lines);
}

await runBench(
  'bench',
  async (signal) => {
    const args = readArguments();
    return { result: await bench(args, signal), jsonFile: args.jsonFile };
  },
  resultText,
  (result) => misses(result).length === 0,
);
