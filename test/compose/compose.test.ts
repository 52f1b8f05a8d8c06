import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { eventually } from '../support/fleet.ts';
import { type ComposeModel, durationMs, inOrder, readModel, root, type Service } from './model.ts';
import { createNativeStack, type NativeStack } from './native.ts';

let model: ComposeModel;
beforeAll(() => {
  model = readModel();
});

const services = () => Object.entries(model.services);
const endsByItself = (service: Service) => service.restart.startsWith('on-failure');

describe('temporal-compose.yml, as Compose reads it', () => {
  test('has what the system needs', () => {
    expect(Object.keys(model.services).toSorted()).toEqual([
      'api',
      'migrate',
      'postgres',
      'redis',
      'temporal',
      'temporal-namespace',
      'temporal-postgres',
      'temporal-schema',
      'temporal-ui',
      'worker',
    ]);
  });

  test('runs nothing as root, writable or with more rights than it needs', () => {
    for (const [name, service] of services()) {
      expect([name, Number(service.user?.split(':')[0])]).not.toEqual([name, 0]);
      expect([name, service.user]).toEqual([name, expect.stringMatching(/^\d+:\d+$/)]);
      expect([name, service.read_only, service.privileged ?? false]).toEqual([name, true, false]);
      expect([name, service.cap_drop, service.security_opt]).toEqual([
        name,
        ['ALL'],
        ['no-new-privileges:true'],
      ]);
    }
  });

  test('pins every image, limits memory and processes, and restarts what ends', () => {
    for (const [name, service] of services()) {
      expect([name, service.image]).toEqual([
        name,
        expect.stringMatching(/:\d+\.\d+(\.\d+)?(-[a-z]+)?$/),
      ]);
      expect([name, service.deploy?.resources?.limits]).toEqual([
        name,
        { memory: expect.stringMatching(/^\d+[mg]$/), pids: expect.any(Number) },
      ]);
      expect([name, service.restart]).toEqual([
        name,
        expect.stringMatching(/^(unless-stopped|on-failure:\d+)$/),
      ]);
      if (!endsByItself(service))
        expect([name, service.healthcheck?.test[0]]).toEqual([name, 'CMD']);
    }
  });

  test('waits for what is healthy or done, never for what was merely started', () => {
    for (const [name, service] of services()) {
      for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
        const wanted = endsByItself(model.services[other] as Service)
          ? 'service_completed_successfully'
          : 'service_healthy';
        expect([name, other, condition]).toEqual([name, other, wanted]);
      }
    }
  });

  test('gives secrets as files only, and each to those alone who need it', () => {
    for (const [name, service] of services()) {
      for (const [key, value] of Object.entries(service.environment ?? {})) {
        if (!/PASSWORD|PWD|SECRET|MASTER_KEY|TOKEN|DATABASE_URL/.test(key)) continue;
        expect([name, key]).toEqual([name, expect.stringMatching(/_FILE$/)]);
        expect(service.secrets?.map(({ target }) => target)).toContain(value);
      }
      expect(JSON.stringify(service.command)).not.toMatch(/passw|secret/i);
    }
    const holders = (secret: string) =>
      services()
        .filter(([, service]) => service.secrets?.some(({ source }) => source === secret))
        .map(([name]) => name)
        .toSorted();
    expect(holders('master_key')).toEqual(['api', 'migrate', 'worker']);
    expect(holders('jwt_secret')).toEqual(['api']);
    expect(holders('temporal_database_password')).toEqual([
      'temporal',
      'temporal-postgres',
      'temporal-schema',
    ]);
  });

  test('publishes on this machine alone, and lets databases and Temporal reach nothing outside', () => {
    for (const [name, service] of services()) {
      for (const port of service.ports ?? [])
        expect([name, port.host_ip]).toEqual([name, '127.0.0.1']);
      if (service.ports === undefined) expect(Object.keys(service.networks)).not.toContain('front');
    }
    for (const [name, network] of Object.entries(model.networks))
      expect([name, network.internal ?? false]).toEqual([name, name !== 'front']);
  });

  test("gives Temporal the settings of the development machine's server", async () => {
    const text = readFileSync(join(root, 'deploy/temporal/dynamic-config.yaml'), 'utf8');
    const here = parse(text) as Record<string, { value: string | number }[]>;
    const source = readFileSync(join(root, 'stack/temporal.ts'), 'utf8');
    const there = [...source.matchAll(/^ {2}'([a-z]+\.[A-Za-z]+)': '"?([^"']+)"?',$/gm)].map(
      ([, key, value]) => [key, value],
    );
    expect(there.length).toBeGreaterThan(2);
    // start-dev's memory alone is too small by default.
    const wanted = there.filter(([key]) => key !== 'history.hostLevelCacheMaxSize');
    expect(Object.entries(here).map(([key, [first]]) => [key, String(first?.value)])).toEqual(
      wanted,
    );
  });
});

describe('its commands, run natively', () => {
  let folder: string;
  let stack: NativeStack;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'heliograph-compose-'));
    const made = spawnSync('sh', ['deploy/make-secrets.sh', join(folder, 'secrets')], {
      cwd: root,
      encoding: 'utf8',
    });
    if (made.status !== 0) throw new Error(made.stderr);
    stack = await createNativeStack(folder);
    // The one secret with the name of a container in it.
    rewriteDatabaseUrl(folder, stack.address('postgres', 5432));
    for (const name of inOrder(model.services)) {
      const began = performance.now();
      await stack.up(name, model.services[name] as Service);
      console.log(`${name}: up after ${Math.round(performance.now() - began)} ms`);
      // Before there is a worker: the demo plays its plants' past, and nobody else may poll them then.
      if (name === 'migrate') {
        const seeded = await heliograph('seed', '--plants', '12', '--interval', '2', '--json');
        if (seeded.code !== 0) throw new Error(seeded.stderr);
      }
    }
  });
  afterAll(async () => {
    await stack?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const heliograph = (...args: string[]) =>
    stack.run(model.services['worker'] as Service, 'worker', ['node', 'cli/main.ts', ...args]);

  test("secrets are their owner's, and those that are there are kept", () => {
    expect(statSync(join(folder, 'secrets')).mode & 0o077).toBe(0);
    const read = () => readFileSync(join(folder, 'secrets/master_key'), 'utf8');
    const before = read();
    const again = spawnSync('sh', ['deploy/make-secrets.sh', join(folder, 'secrets')], {
      cwd: root,
    });
    expect(again.status).toBe(0);
    expect(read()).toBe(before);
  });

  test('plants are polled on Temporal on PostgreSQL, and the checker is clean', async () => {
    interface Status {
      problems: string[];
      loops: { running: number; plants: number };
      polling: { polls: number; late_p99_ms: number }[];
      versions: { temporal: string };
    }
    const status = await eventually(
      '200 polls and nothing wrong',
      async () => {
        const { code, stdout } = await heliograph('status', '--json');
        const now = JSON.parse(stdout) as Status;
        const polls = now.polling.reduce((sum, brand) => sum + brand.polls, 0);
        return code === 0 && polls > 200 && now;
      },
      120_000,
    );
    console.log(JSON.stringify({ loops: status.loops, polling: status.polling }));
    expect(status.loops.running).toBe(24);
    expect(status.versions.temporal).toMatch(/^1\./);
    expect(await heliograph('validate')).toMatchObject({ code: 0 });
    const audited = await heliograph('audit');
    console.log(audited.stdout);
    expect(audited.stdout).toContain('nothing is violated');
    expect(audited.code).toBe(0);
  });

  test('metrics, health, API and Web UI answer', async () => {
    const worker = `http://${stack.address('worker', 9464)}`;
    const metrics = await (await fetch(`${worker}/metrics`)).text();
    expect(metrics).toMatch(/^heliograph_polls_total\{/m);
    expect(metrics).toMatch(/^temporal_workflow_task_execution_latency_seconds/m);
    const health = await fetch(`http://${stack.address('api', 8080)}/health`);
    expect(health.status).toBe(200);
    const login = await fetch(`http://${stack.address('api', 8080)}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'nobody@example.org', password: 'not a password' }),
    });
    expect(login.status).toBe(401);
    expect(login.headers.get('content-type')).toContain('application/problem+json');
    const ui = await fetch(
      `http://${stack.address('temporal-ui', 8080)}/api/v1/namespaces/default`,
    );
    expect(ui.status).toBe(200);
  });

  test('schema, namespace and migration may run again', async () => {
    for (const name of ['temporal-schema', 'temporal-namespace', 'migrate'])
      await stack.up(name, model.services[name] as Service);
  });

  test('no secret stands in a log', () => {
    const secrets = ['database_password', 'temporal_database_password', 'master_key', 'jwt_secret'];
    for (const name of Object.keys(model.services)) {
      const log = stack.log(name);
      for (const secret of secrets)
        expect([
          name,
          secret,
          log.includes(readFileSync(join(folder, 'secrets', secret), 'utf8').trim()),
        ]).toEqual([name, secret, false]);
    }
  });

  test('API and worker end within their grace when they are told to, and no slot is lost by it', async () => {
    for (const name of ['api', 'worker']) {
      const tookMs = await stack.down(name);
      expect(tookMs).toBeLessThan(durationMs(model.services[name]?.stop_grace_period ?? '10s'));
    }
    await stack.up('worker', model.services['worker'] as Service);
    await eventually(
      'the polls go on',
      async () => (await heliograph('validate')).code === 0,
      60_000,
    );
    const audited = await heliograph('audit');
    expect(audited.stdout).toContain('nothing is violated');
  });
});

function rewriteDatabaseUrl(folder: string, address: string): void {
  const file = join(folder, 'secrets/database_url');
  const url = readFileSync(file, 'utf8').replace('postgres:5432', address);
  if (!url.includes(address)) throw new Error(`${file} does not name postgres:5432`);
  writeFileSync(file, url);
}
