import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { clockSeconds } from '../../api/pages/components.ts';
import { replacePeriod } from '../../db/ledger/periods.ts';
import { plantLedger } from '../../db/plants/ledger.ts';
import type { PlantRow } from '../../db/plants/plants.ts';
import type { IntegrationStatus } from '../../domain/plants/plant.ts';
import { localTimeText } from '../../domain/wording.ts';
import { createTestApi, type TestApi } from '../../test/support/api.ts';
import { type CommandFleet, createCommandFleet } from '../../test/support/command-fleet.ts';

const operator = 'operator@example.org';
const webUi = 'https://temporal.example.org/ui';
const intervalS = 3_600;
const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000);
/** What all surfaces say alike, by its name in JSON. */
const alike = [
  'status',
  'status_reason',
  'status_since',
  'status_sentence',
  'stale',
  'not_polled_since',
  'last_seen_at',
  'next_slot',
  'next_closing',
  'poll_interval_s',
  'integration_status',
  'open_alerts',
  'workflow_id',
  'workflow_url',
] as const;
type Alike = Record<Exclude<(typeof alike)[number], 'stale' | 'open_alerts'>, string> & {
  stale: boolean;
  open_alerts: number;
};

let cli: CommandFleet;
let api: TestApi;

beforeAll(async () => {
  cli = await createCommandFleet();
  api = await createTestApi({
    db: cli.fleet.db,
    temporal: cli.fleet.client,
    clock: Date.now,
    temporalUiUrl: webUi,
  });
  await api.user(operator, 'OPERATOR');
});
afterAll(async () => {
  await api.close();
  await cli.fleet.close();
});

/** A plant that is polled on the hour, seen an hour before its newest poll, with two active alerts and one that ended. */
async function add(
  row: Partial<Omit<PlantRow, 'last_poll' | 'devices' | 'low_generation_streak'>>,
  period: IntegrationStatus | null = 'ACTIVE',
): Promise<string> {
  const { db } = cli.fleet;
  const id = await cli.add({ intervalS, active: row.integration_status !== 'PENDING_DOCS' });
  if (period !== null)
    await replacePeriod(db, plantLedger, id, {
      closeAtMs: ago(6_000).getTime(),
      fromMs: ago(6_000).getTime(),
      intervalMs: intervalS * 1_000,
      // The next slot is half an hour away: no test runs into it.
      phaseMs: (Date.now() + 1_800_000) % (intervalS * 1_000),
      reason: period,
    });
  await db
    .updateTable('plants')
    .set({
      status: 'YELLOW',
      status_reason: 'LOW_GENERATION',
      status_since: ago(90),
      last_polled_at: ago(10),
      last_seen_at: ago(70),
      last_seen_source: 'VENDOR',
      ...row,
    })
    .where('id', '=', id)
    .execute();
  const alert = { plant_id: id, severity: 'YELLOW' as const, started_at: ago(90), message: 'm' };
  const seen = { ...alert, type: 'MOCK_FAULT' as const, last_seen_at: ago(10) };
  await db
    .insertInto('alerts')
    .values([
      { ...seen, vendor_alarm_code: '1', state: 'NEW' },
      { ...seen, vendor_alarm_code: '2', state: 'ACKED', acked_at: ago(5) },
      { ...seen, vendor_alarm_code: '3', state: 'RESOLVED', resolved_at: ago(5) },
    ])
    .execute();
  return id;
}

/** The plant as JSON, as the command's JSON, as the command's text and as the page. */
async function surfaces(id: string) {
  const response = await api.ask(operator, 'GET', `/api/v1/plants/${id}`);
  const env = { TEMPORAL_UI_URL: webUi };
  const command = await cli.run(['plants', 'show', id, '--json'], { env });
  const pick = (text: string): Alike => {
    const all = JSON.parse(text) as Record<string, unknown>;
    return Object.fromEntries(alike.map((name) => [name, all[name]])) as Alike;
  };
  return {
    json: pick(await response.text()),
    command: pick(command.stdout),
    text: (await cli.run(['plants', 'show', id], { env })).stdout,
    page: await (await api.ask(operator, 'GET', `/plants/${id}`)).text(),
  };
}

/** Checks that the texts say what the JSON says. */
function expectAlike({ json, command, text, page }: Awaited<ReturnType<typeof surfaces>>): void {
  expect(command).toEqual(json);
  const zone = 'Europe/Amsterdam';
  const minute = (iso: string) => localTimeText(Date.parse(iso), zone);
  expect(text).toContain(`${json.status}  `);
  expect(text).toContain(`since ${minute(json.status_since)} (${json.status_reason})`);
  expect(text).toContain(`${minute(json.last_seen_at)} (VENDOR)`);
  expect(text).toContain(`every ${json.poll_interval_s} s`);
  expect(text).toContain(json.workflow_url);
  expect(page).toContain(`href="${json.workflow_url.replaceAll('&', '&amp;')}"`);
  expect(page).toContain('every 60 min');
  expect(page).toMatch(/data 7\d min\s+old/);
  expect(text).toContain(json.status_sentence);
  expect(page).toContain(json.status_sentence);
  if (json.stale) {
    expect(page).toMatch(
      new RegExp(`not polled since\\s+<time datetime="${json.not_polled_since}`),
    );
    expect(page).toContain(`before that ${json.status}:`);
    expect(text).toContain('not polled since');
  } else {
    expect(page).toMatch(new RegExp(`since <time datetime="${json.status_since}"`));
    expect(page).toContain(`<b>${json.status}</b>`);
    expect(text).not.toContain('not polled since');
  }
  const [activeRows = ''] = text.split('Last polls');
  expect(activeRows.match(/MOCK_FAULT/g)).toHaveLength(json.open_alerts);
  expect(page.match(/<li id="event-\d+">\s*<svg class="mark YELLOW/g)).toHaveLength(
    json.open_alerts,
  );
}

describe('the page, the JSON and the command show the same of a plant', () => {
  test('that is polled, with its next slot', async () => {
    const shown = await surfaces(await add({}));
    expectAlike(shown);
    const nextMs = Date.parse(shown.json.next_slot);
    expect(nextMs).toBeGreaterThan(Date.now());
    expect(shown.page).toContain(`next slot ${clockSeconds(nextMs, 'Europe/Amsterdam')}`);
    // "2026-06-01 13:40:07 UTC+2": the text of the minute, with its seconds.
    const clock = clockSeconds(nextMs, 'Europe/Amsterdam');
    const minute = localTimeText(nextMs, 'Europe/Amsterdam');
    expect(shown.text).toContain(`next at ${minute.replace(clock.slice(0, 5), clock)} (in`);
    expect(shown.json).toMatchObject({
      stale: false,
      open_alerts: 2,
      workflow_url: expect.stringMatching(/^https:\/\/temporal\.example\.org\/ui\/namespaces\//),
    });
  });

  test('that is stale, with its next slot', async () => {
    const shown = await surfaces(await add({ last_polled_at: ago(122) }));
    expectAlike(shown);
    expect(shown.json).toMatchObject({ stale: true, next_slot: expect.any(String) });
    expect(shown.page).toContain('next slot');
    expect(shown.text).toContain('next at');
  });

  const expectNoNextSlot = ({ json, text, page }: Awaited<ReturnType<typeof surfaces>>) => {
    expect(json).toMatchObject({ next_slot: null, next_closing: null });
    expect(text).not.toContain('next at');
    expect(page).not.toContain('next slot');
  };

  test('that was paused just now, before its loop has seen it: no next slot', async () => {
    const id = await add({});
    const paused = await api.ask(operator, 'POST', `/api/v1/plants/${id}/pause`, {});
    expect(paused.status).toBe(200);
    const shown = await surfaces(id);
    expectAlike(shown);
    expect(shown.json.integration_status).toBe('DISABLED_BY_OPERATOR');
    expectNoNextSlot(shown);
  });

  test('whose loop has not seen yet that it is polled again: no next slot', async () => {
    const shown = await surfaces(await add({}, 'DISABLED_BY_OPERATOR'));
    expectAlike(shown);
    expectNoNextSlot(shown);
  });

  test('that waits for its documents: no next slot', async () => {
    const row = { integration_status: 'PENDING_DOCS', status: 'GREY' } as const;
    const shown = await surfaces(await add({ ...row, status_reason: 'PENDING_DOCS' }, null));
    expectAlike(shown);
    expect(shown.json.status).toBe('GREY');
    expectNoNextSlot(shown);
  });
});
