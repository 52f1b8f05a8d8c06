import { describe, expect, test } from 'vitest';
import { SessionStore } from '../session.ts';
import type { Transport } from '../transport.ts';
import { jsonResponse, pathOf } from '../recorded/vendor-side.ts';
import { blueprint } from './adapter.ts';
import { blueprintVendor } from '../recorded/blueprint.ts';

const now = new Date('2026-06-11T12:03:20Z');
const plant = { vendorPlantId: '7', timezone: 'Europe/Amsterdam' };
const credentials = { user: 'canary-user', password: 'canary-password' };

const answers: Readonly<Record<string, unknown>> = {
  '/plant': {
    online: true,
    power: '4.112',
    energyToday: 21.4,
    energyTotal: '91334.50',
    measuredAt: 1_781_179_200,
  },
  '/days': [
    { date: '2026-06-10', energy: '' },
    { date: '2026-06-09', energy: 38.2 },
  ],
  '/alarms': [{ code: 12, device: 'A1', level: 1, text: 'No grid', startedAt: 1_781_170_000 }],
};

function adapterFor(
  known: Readonly<Record<string, string>> = credentials,
  said: Readonly<Record<string, unknown>> = {},
) {
  const context = { knownCredentials: known, now };
  const transport: Transport = async (request) =>
    blueprintVendor.login?.(request, context) ??
    blueprintVendor.check(request, context) ??
    jsonResponse({ code: 0, data: { ...answers, ...said }[pathOf(request)] });
  const session = new SessionStore();
  const { signal } = new AbortController();
  return { session, adapter: blueprint.create({ transport, credentials, session, now, signal }) };
}

describe('the adapter to copy', () => {
  test('logs in, and gives W, kWh and UTC', async () => {
    const { adapter } = adapterFor();
    expect(await adapter.getPlantSummary(plant)).toEqual({
      todayEnergyKwh: 21.4,
      powerW: 4_112,
      lifetimeEnergyKwh: 91_334.5,
      lifetimeResolutionKwh: 0.01,
      lastSeenAt: '2026-06-11T12:00:00.000Z',
      devices: [],
      refused: [],
    });
    expect(await adapter.getDailyEnergySeries(plant, '2026-06-09', '2026-06-10')).toEqual([
      { date: '2026-06-09', energyKwh: 38.2 },
      { date: '2026-06-10', energyKwh: null },
    ]);
    expect(await adapter.getAlarmsSince(plant, now)).toMatchObject({
      alarms: [{ code: '12', severity: 'CRITICAL', open: true }],
      complete: true,
    });
  });

  test("goes without today's energy where anything else is known", async () => {
    const { adapter } = adapterFor(credentials, { '/plant': { online: true, energyToday: null } });
    expect(await adapter.getPlantSummary(plant)).toMatchObject({
      todayEnergyKwh: null,
      refused: [{ field: 'today_energy_kwh' }],
    });
  });

  test('renews an expired session once', async () => {
    const { adapter, session } = adapterFor();
    await session.acquire(null, async () => ({ token: 'old', apiHost: '', extra: {} }));
    expect(await adapter.getPlantSummary(plant)).toMatchObject({ todayEnergyKwh: 21.4 });
    expect(session.current?.token).not.toBe('old');
  });

  test('says AUTH_FAILED for a wrong password, without the password', async () => {
    const { adapter } = adapterFor({ ...credentials, password: 'another' });
    await expect(adapter.getPlantSummary(plant)).rejects.toMatchObject({ type: 'AUTH_FAILED' });
    const result = await adapter.testConnection();
    expect(result).toMatchObject({ ok: false, errorType: 'AUTH_FAILED' });
    expect(result.message).not.toContain('canary');
  });
});
