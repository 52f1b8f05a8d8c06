import { describe, expect, test } from 'vitest';
import { announceRaise, announceRecovery, announceRise, reminderOf } from '../alerts.ts';
import { audienceOf } from './announcing.ts';
import type { AlertType, PlantFacts } from './facts.ts';
import { noonMs, sampleAlert, samplePlant } from '../../test/support/plant-facts.ts';
import { hourMs, instantOf } from '../zone.ts';

const audience = (different: Partial<PlantFacts> = {}, inIncident = false) =>
  audienceOf({ plant: samplePlant(different), incident: inIncident ? { held: false } : null });
const of = (type: AlertType) => ({ type, vendorAlarmCode: null, deviceSn: null });
const raised = (type: AlertType, plant: ReturnType<typeof audience>, nowMs = noonMs) =>
  announceRaise({ ...of(type), severity: 'RED' }, [], plant, nowMs).announce;
const told = { lastNotifiedAtMs: noonMs - 7 * hourMs, announcedNotBeforeMs: noonMs - 7 * hourMs };

test('a RED vendor alarm alone wakes people', () => {
  const plant = audience({ timezone: 'Europe/Madrid' });
  const nightMs = instantOf('2026-06-10', '03:00', 'Europe/Madrid');
  const morningMs = instantOf('2026-06-10', '07:00', 'Europe/Madrid');
  expect(raised('MOCK_FAULT', plant, nightMs)?.notBeforeMs).toBe(nightMs);
  expect(raised('OFFLINE', plant, nightMs)?.notBeforeMs).toBe(morningMs);
  const yellow = { ...of('MOCK_FAULT'), severity: 'YELLOW' as const };
  expect(announceRaise(yellow, [], plant, nightMs).announce?.notBeforeMs).toBe(morningMs);
});

test('nothing is announced while a person silenced the plant, nor while an operator has it paused', () => {
  expect(raised('OFFLINE', audience({ alertsSilencedUntilMs: noonMs + 1 }))).toBeNull();
  expect(raised('OFFLINE', audience({ alertsSilencedUntilMs: noonMs }))).not.toBeNull();
  expect(raised('OFFLINE', audience({ integrationStatus: 'DISABLED_BY_OPERATOR' }))).toBeNull();
});

test('refused credentials are news, and pause no announcement', () => {
  expect(raised('API_ERROR', audience({ integrationStatus: 'PAUSED_AUTH_ERROR' }))).not.toBeNull();
});

describe("while the plant's brand does not answer", () => {
  const inIncident = audience({}, true);

  test.each(['OFFLINE', 'API_ERROR', 'LOW_GENERATION'] as const)(
    '%s is neither announced nor reminded of, but its recovery is told where it was',
    (type) => {
      const alert = sampleAlert({ type, ...told });
      expect(raised(type, inIncident)).toBeNull();
      expect(announceRise({ type, severity: 'RED' }, inIncident, noonMs)).toBeNull();
      expect(reminderOf(alert, inIncident, noonMs)).toBeNull();
      expect(reminderOf(alert, audience(), noonMs)?.kind).toBe('REMINDER');
      expect(announceRecovery(alert, inIncident, noonMs).announce?.kind).toBe('RECOVERED');
    },
  );

  test.each(['MOCK_FAULT', 'DEVICE_DOWN'] as const)('%s is announced as ever', (type) => {
    expect(reminderOf(sampleAlert({ type, ...told }), inIncident, noonMs)?.kind).toBe('REMINDER');
  });
});
