import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loopback } from './ports.ts';
import { bringUpStack, type Stack } from './up.ts';

/** A Temporal with its Web UI, as `npm start` runs it, seen from a web page of somebody else. */
describe('web pages of other origins', () => {
  const foreign = { origin: 'https://evil.example', 'content-type': 'application/json' };
  let dataDir = '';
  let stack: Stack;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'heliograph-temporal-'));
    const env = { DATABASE_URL: 'x', REDIS_URL: 'x' };
    stack = await bringUpStack({ dataDir, log: () => {}, ephemeral: true, env });
    temporal('workflow', 'start', '--workflow-id', 'one', '--type', 'idle', '--task-queue', 'none');
  });
  afterAll(async () => {
    await stack.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  function temporal(...args: string[]): string {
    const asked = spawnSync(
      stack.temporalBinary ?? '',
      [...args, '--address', stack.temporalAddress],
      { encoding: 'utf8' },
    );
    return asked.stdout;
  }

  const signalsOf = (workflowId: string): number =>
    temporal('workflow', 'show', '--workflow-id', workflowId).match(/WorkflowExecutionSignaled/g)
      ?.length ?? 0;

  const httpApi = (): string => {
    const ports = JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8')) as {
      temporalHttp: number;
    };
    return `http://${loopback}:${ports.temporalHttp}`;
  };

  const ui = (): string => stack.temporalUiUrl ?? '';

  const signalPath = '/api/v1/namespaces/default/workflows/one/signal/pause';

  test("cannot write through Temporal's HTTP API", async () => {
    const answers = await Promise.all(
      [foreign, { 'content-type': 'text/plain' }].map((headers) =>
        fetch(`${httpApi()}${signalPath}`, { method: 'POST', headers, body: '{}' }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([403, 403]);
    const listed = await fetch(`${httpApi()}/api/v1/namespaces/default/workflows`);
    expect(listed.status).toBe(403);
    expect(signalsOf('one')).toBe(0);
  });

  test('cannot write through the Web UI either, which itself reads and writes', async () => {
    // The Web UI connects to the server when it is first asked, and the first questions may come too early.
    const list = async () => fetch(`${ui()}/api/v1/namespaces/default/workflows`);
    await expect
      .poll(async () => (await list()).text(), { timeout: 10_000 })
      .toMatch(/"workflowId":\s*"one"/);
    const signal = (headers: Record<string, string>, method = 'POST') =>
      fetch(`${ui()}${signalPath}`, {
        method,
        headers,
        ...(method === 'POST' ? { body: '{}' } : {}),
      });
    expect((await signal(foreign)).status).toBe(400);
    const asked = await signal({ ...foreign, 'access-control-request-method': 'POST' }, 'OPTIONS');
    expect(asked.headers.get('access-control-allow-origin')).toBeNull();
    expect(signalsOf('one')).toBe(0);
    const cookie = (await list()).headers.get('set-cookie')?.split(';')[0] ?? '';
    const own = await signal({ origin: ui(), cookie, 'x-csrf-token': cookie.split('=')[1] ?? '' });
    expect(own.status).toBe(200);
    expect(signalsOf('one')).toBe(1);
  });
});
