import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, test } from 'vitest';

import { bundleWorkflows } from '../worker/bundle.ts';
import * as workflows from './index.ts';

/** What would make replays slow, or break them: a cold worker loads the bundle for every loop that it wakes. */
const forbidden = ['zod', 'pg', 'kysely', 'ioredis', 'hono', 'temporal-polyfill', 'suncalc'];

describe('the workflow bundle', () => {
  let code: string;
  let modules: string[];

  beforeAll(async () => {
    ({ code } = await bundleWorkflows());
    const sourceMap =
      /sourceMappingURL=data:application\/json;charset=utf-8;base64,(\S+)/.exec(code)?.[1] ?? '';
    ({ sources: modules } = JSON.parse(Buffer.from(sourceMap, 'base64').toString('utf8')) as {
      sources: string[];
    });
  }, 60_000);

  test('holds the workflows, so that what it does not hold is told from what was not looked at', () => {
    expect(
      modules.filter((module) =>
        /workflows\/(plants\/plant-monitor|plants\/daily-close|fleet-reconcile)\.ts$/.test(module),
      ),
    ).toHaveLength(3);
    expect(modules.some((module) => module.includes('node_modules/@temporalio/workflow/'))).toBe(
      true,
    );
  });

  test.each(forbidden)('does not hold %s', (name) => {
    expect(modules.filter((module) => module.includes(`node_modules/${name}/`))).toEqual([]);
  });

  test('holds no file of ours but workflows and domain', () => {
    const ours = modules.filter(
      (module) => module.endsWith('.ts') && !module.includes('node_modules'),
    );
    expect(ours.length).toBeGreaterThan(5);
    expect(ours.filter((module) => !/(^|\/)(workflows|domain)\//.test(module))).toEqual([]);
  });
});

describe('names that running histories hold', () => {
  test('workflows: exactly these', () => {
    expect(Object.keys(workflows).toSorted()).toEqual([
      'checkPolling',
      'closeDay',
      'monitorPlant',
      'reconcileFleet',
      'sendNotifications',
      'testGateway',
      'walkGatewayShard',
    ]);
  });

  test('activities: exactly these', () => {
    const contract = ['', 'plants/', 'gateways/', 'notifications/']
      .map((folder) => `${folder}contract.ts`)
      .map((file) => readFileSync(new URL(`../activities/${file}`, import.meta.url), 'utf8'))
      .join('\n');
    const names = [...contract.matchAll(/^ {2}(\w+)\(args: /gm)].map((match) => match[1]);
    expect(names.toSorted()).toEqual([
      'backfillDays',
      'checkPolling',
      'closeDay',
      'composeMessages',
      'deliverMessages',
      'evaluatePlant',
      'fetchReadings',
      'findDue',
      'planPlant',
      'pollWhole',
      'reconcileAlerts',
      'reconcileFleet',
      'refreshDays',
      'requestGatewayPoll',
      'setIntegration',
      'testGateway',
      'upsertSnapshot',
      'walkShard',
      'writeMissed',
      'writePollLog',
    ]);
  });
});
