import { stripVTControlCharacters } from 'node:util';

import { describe, expect, test } from 'vitest';

import { createTestIo } from '../../test/support/command-line.ts';
import { sampleNowMs, samplePlantView } from '../../test/support/fleet-row.ts';
import type { PlantView } from '../../db/plants/plants.ts';
import { listText } from '../../cli/commands/plants/plants-list.ts';
import { plantJson, plantSentence, powerNow, statusWords } from './plant-view.ts';

const nowMs = sampleNowMs;
const plant = (changed: Partial<PlantView> = {}) =>
  samplePlantView({ last_poll: null, ...changed });

describe('a plant that is shown', () => {
  test('has its colour, and the sentence of its reason', () => {
    expect(statusWords(plant(), nowMs)).toBe('GREEN');
    expect(plantSentence(plant(), nowMs)).toBe('Last seen 10 min ago, at 13:50 UTC+2.');
  });

  test('says since when it was not polled, before its colour, where it is stale', () => {
    expect(statusWords(plant({ stale: true }), nowMs)).toBe('not polled since 13:55 UTC+2: GREEN');
    const older = plant({ stale: true, last_polled_at: new Date('2026-06-09T22:30:00Z') });
    expect(statusWords(older, nowMs)).toBe('not polled since 2026-06-10 00:30 UTC+2: GREEN');
  });

  test('was not polled since its activation where it never was', () => {
    const never = plant({
      stale: true,
      last_polled_at: null,
      activated_at: new Date('2026-06-11T10:00:00Z'),
    });
    expect(statusWords(never, nowMs)).toBe('not polled since 12:00 UTC+2: GREEN');
  });

  test('says who paused it and who silenced its alerts, until when and why', () => {
    const held = plant({
      integration_status: 'DISABLED_BY_OPERATOR',
      status_reason: 'DISABLED_BY_OPERATOR',
      paused_by: 'ana@example.org',
      paused_until: new Date('2026-06-11T16:00:00Z'),
      pause_reason: 'roof works',
      alerts_silenced_by: 'bo@example.org',
      alerts_silenced_until: new Date('2026-06-12T16:00:00Z'),
      alerts_silence_reason: 'known fault',
    });
    expect(plantSentence(held, nowMs)).toBe(
      'Paused by ana@example.org until 18:00 UTC+2: “roof works”. Alerts silenced by bo@example.org until 2026-06-12 18:00 UTC+2: “known fault”.',
    );
    const bySql = plant({ ...held, paused_by: null, paused_until: null, pause_reason: null });
    expect(plantSentence({ ...bySql, alerts_silenced_until: new Date(nowMs) }, nowMs)).toBe(
      'Paused by an operator.',
    );
  });

  test('tells its times in the zone of its reader', () => {
    expect(plantSentence(plant(), nowMs, 'Asia/Kathmandu')).toBe(
      'Last seen 10 min ago, at 17:35 UTC+5:45.',
    );
    expect(statusWords(plant({ stale: true }), nowMs, 'UTC')).toBe(
      'not polled since 11:55 UTC: GREEN',
    );
  });

  test('names the first of its red alerts and counts the others', () => {
    const red = plant({
      status: 'RED',
      status_reason: 'CRITICAL_ALERT',
      red_alerts: ['Grid lost.', 'Arc fault.'],
    });
    expect(plantSentence(red, nowMs)).toBe('Grid lost. And 1 more.');
  });

  test('is a flat object in snake_case for machines, with its sentence and without what only the loop needs', () => {
    const json = JSON.parse(JSON.stringify(plantJson(plant(), nowMs))) as Record<string, unknown>;
    expect(json).toMatchObject({
      id: 'canal',
      status: 'GREEN',
      stale: false,
      last_polled_at: '2026-06-11T11:55:00.000Z',
      poll_interval_s: 600,
    });
    expect(json['status_sentence']).toBe('Last seen 10 min ago, at 13:50 UTC+2.');
    expect(Object.keys(json).filter((key) => !/^[a-z][a-z0-9_]*$/.test(key))).toEqual([]);
    expect(json).not.toHaveProperty('last_poll');
    expect(json).not.toHaveProperty('red_alerts');
  });
});

describe('the list', () => {
  const { io } = createTestIo();
  const { last_poll: poll } = samplePlantView();
  const silentSince = { sourceTimeMs: Date.parse('2026-06-10T10:00:00Z') };
  const silent = poll?.booked && { ...poll, booked: { ...poll.booked, ...silentSince } };
  const plants = [
    plant({
      id: 'solis-silent',
      status: 'RED',
      status_reason: 'NOT_SEEN_24H',
      last_seen_at: new Date('2026-06-10T10:00:00Z'),
      open_alerts: 1,
      power_w: 0,
      last_poll: silent ?? null,
    }),
    plant({ last_poll: poll }),
    plant({
      id: 'papers',
      status: 'GREY',
      status_reason: 'PENDING_DOCS',
      integration_status: 'PENDING_DOCS',
      power_w: null,
      today_energy_kwh: null,
    }),
  ];

  test('is aligned, says the word of each status, and counts them', () => {
    expect(listText(plants, nowMs, createTestIo().io)).toBe(
      [
        'STATUS  PLANT         BRAND   POWER     TODAY  OPEN  WHY',
        'RED     solis-silent  SOLIS       –  21.4 kWh     1  Last seen 26 h ago, at 2026-06-10 12:00 UTC+2.',
        'GREEN   canal         SOLIS  4.1 kW  21.4 kWh     0  Last seen 10 min ago, at 13:50 UTC+2.',
        'GREY    papers        SOLIS       –         –     0  Not polled yet: its documents are not complete.',
        '',
        '3 plants: 1 RED, 1 GREEN, 1 GREY',
        '',
      ].join('\n'),
    );
  });

  test('shows the power of now, as the page does: none of a plant that is stale or failed', () => {
    const cases: Partial<PlantView>[] = [
      { stale: true },
      { last_poll: poll && { ...poll, outcome: 'FAILED', booked: null } },
      { integration_status: 'DISABLED_BY_OPERATOR' },
    ];
    for (const changed of cases) {
      const [, line] = listText([plant({ last_poll: poll, ...changed })], nowMs, io).split('\n');
      expect(line).toMatch(/SOLIS +– +21\.4 kWh/);
    }
    expect(powerNow(plant({ last_poll: poll, stale: true }))).toEqual({
      power_now_w: null,
      power_note: 'not polled in time',
    });
    expect(powerNow(plant({ last_poll: poll }))).toEqual({ power_now_w: 4_112, power_note: null });
  });

  test('keeps within 100 columns where no plant is stale', () => {
    for (const line of listText(plants, nowMs, createTestIo().io).split('\n'))
      expect(line.length).toBeLessThanOrEqual(100);
  });

  test('is the same text at a terminal, but for its colours', () => {
    const colourless = stripVTControlCharacters(
      listText(plants, nowMs, createTestIo({ columns: 100 }).io),
    );
    expect(colourless).toBe(listText(plants, nowMs, createTestIo().io));
  });

  test('says how many plants were not polled in time', () => {
    expect(listText([plant({ stale: true })], nowMs, createTestIo().io)).toContain(
      '1 plant: 1 GREEN; 1 not polled in time: is a worker up?',
    );
  });
});
