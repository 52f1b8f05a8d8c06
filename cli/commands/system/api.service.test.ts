import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { afterEach, expect } from 'vitest';

import { runTestCommand } from '../../../test/support/command-line.ts';
import { fleet, test } from '../../../test/support/test-fleet.ts';

const mainPath = fileURLToPath(new URL('../../main.ts', import.meta.url));
const jwtSecret = Buffer.from('canary-of-the-jwt-key-0123456789').toString('base64');

let env: NodeJS.ProcessEnv;
test.beforeAll(() => {
  env = { ...fleet.env, LOG_LEVEL: 'debug', API_PORT: '0', JWT_SECRET: jwtSecret };
});

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

interface ApiProcess {
  child: ChildProcess;
  url: string;
  output: string[];
  ended: Promise<number | null>;
}

/** Resolves when it listens, or has ended: then `url` is empty. */
async function startApiProcess(change: NodeJS.ProcessEnv = {}): Promise<ApiProcess> {
  const child = spawn(process.execPath, [mainPath, 'api'], { env: { ...env, ...change } });
  running.push(child);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const output: string[] = [];
  const url = await new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream).on('line', (line) => {
        output.push(line);
        const listens = /"url":"([^"]+)"/.exec(line)?.[1];
        if (listens !== undefined) resolve(listens);
      });
    void ended.then(() => resolve(''));
  });
  return { child, url, output, ended };
}

test('serves, and stops within its time although a connection hangs', async () => {
  const api = await startApiProcess();
  const health = await fetch(`${api.url}/health`);
  expect(health.status).toBe(200);
  expect(await health.json()).toMatchObject({
    checks: expect.arrayContaining([expect.objectContaining({ name: 'temporal', state: 'ok' })]),
  });
  // Nobody but this machine asks without a token.
  expect((await fetch(`${api.url}/metrics`)).status).toBe(200);
  expect(
    (await fetch(`${api.url}/metrics`, { headers: { 'x-forwarded-for': '203.0.113.9' } })).status,
  ).toBe(401);
  const { hostname, port } = new URL(api.url);
  const hanging = connect(Number(port), hostname);
  hanging.on('error', () => {});
  const half = 'POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{';
  await new Promise((resolve) => hanging.write(half, resolve));
  const startedAt = performance.now();
  api.child.kill('SIGTERM');
  expect(await api.ended).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  hanging.destroy();
  expect(api.output.join('\n')).not.toContain(jwtSecret);
});

test('counts people behind a trusted proxy apart, and warns of a variable that does nothing', async () => {
  const api = await startApiProcess({ TRUSTED_PROXIES: '1', TRUST_PROXY: '1' });
  expect(JSON.parse(api.output[0] ?? '{}')).toMatchObject({
    level: 40,
    variable: 'TRUST_PROXY',
    nearest: 'TRUSTED_PROXIES',
  });
  const guess = async (address: string) => {
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
    const body = JSON.stringify({ email: 'nobody@example.org', password: 'wrong' });
    const url = `${api.url}/api/v1/auth/login`;
    return (await fetch(url, { method: 'POST', headers, body })).status;
  };
  const guesses = await Promise.all(Array.from({ length: 10 }, () => guess('203.0.113.1')));
  expect(new Set(guesses)).toEqual(new Set([401]));
  expect(await guess('203.0.113.1')).toBe(429);
  expect(await guess('203.0.113.2')).toBe(401);
});

test('serves while Temporal and Redis are away, and says so', async () => {
  const api = await startApiProcess({
    TEMPORAL_ADDRESS: '127.0.0.1:9',
    REDIS_URL: 'redis://127.0.0.1:9',
  });
  const { state, checks } = (await (await fetch(`${api.url}/health`)).json()) as {
    state: string;
    checks: { name: string; state: string }[];
  };
  expect(state).toBe('degraded');
  const away = checks.filter((check) => ['temporal', 'redis'].includes(check.name));
  expect(away.map((check) => check.state)).toEqual(['degraded', 'degraded']);
  api.child.kill('SIGINT');
  expect(await api.ended).toBe(0);
});

test.each([
  ['mock mode is not set', { INTEGRATION_MOCK_MODE: 'false' }, 78, 'INTEGRATION_MOCK_MODE'],
  ['JWT_SECRET is missing', { JWT_SECRET: '' }, 78, 'JWT_SECRET'],
  ['JWT_SECRET is short', { JWT_SECRET: 'c2hvcnQ=' }, 78, 'JWT_SECRET'],
  ['PUBLIC_URL has a path', { PUBLIC_URL: 'https://x.org/solar' }, 78, 'PUBLIC_URL'],
  ['PostgreSQL is away', { DATABASE_URL: 'postgres://x@127.0.0.1:9/x' }, 69, 'PostgreSQL'],
])('ends at once when %s', async (_, change, code, word) => {
  const ended = await runTestCommand(['api'], { env: { ...env, ...change } });
  expect(ended).toMatchObject({ code, stderr: expect.stringContaining(word) });
});

test('ends with a sentence when its port is taken', async () => {
  const first = await startApiProcess();
  const second = { ...env, API_PORT: new URL(first.url).port };
  expect(await runTestCommand(['api'], { env: second })).toMatchObject({
    code: 69,
    stderr: expect.stringContaining('set API_PORT'),
  });
});
