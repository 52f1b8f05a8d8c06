import { describe, expect, test } from 'vitest';

import { problemsOf } from './gateways/track.ts';
import { type ChaosReportFile, explain, judge, reportText } from './report.ts';

/** A run in which everything held. */
function clean(): Omit<ChaosReportFile, 'sentences'> {
  return {
    seed: '1',
    minutes: 5,
    played_s: 310,
    plants: 200,
    interval_s: 20,
    polls_per_s: 13,
    baseline: { slots: 260, p50Ms: 12, p99Ms: 60 },
    recovered_below_ms: 120,
    faults: [
      {
        kind: 'TEMPORAL_KILLED',
        at_s: 12,
        lasted_s: 2,
        recovery_s: 4.5,
        foreign_cores: 0.1,
        notes: { rows_before: 100 },
        problems: [],
      },
    ],
    left_out: [],
    slots: {
      slots_due: 4_000,
      polled: 3_900,
      skipped: 0,
      missed: 100,
      pending: 0,
      lost: 0,
      doubled: 0,
      strays: 0,
      overlapping: 0,
      unscheduled: 210,
      days: 800,
      alerts: 10,
      alert_events: 20,
      plants: 200,
      loops: 200,
      locks: 1,
    },
    missed_by_fault: { TEMPORAL_KILLED: 100 },
    missed_without_fault: 0,
    failed_by_fault: {},
    failed_without_fault: 0,
    violations: [],
    ended_by_themselves: [],
    canary: { places: 600, hits: [] },
    messages: { sent: 90, waiting: 0, dead: 0, repeated: 2, lost: 0, beyond_attempts: 0 },
    unsettled: 0,
    gateways: {
      gateways: 200,
      slots: {
        due: 6_000,
        polled: 5_990,
        skipped: 0,
        missed: 10,
        lost: 0,
        doubled: 0,
        strays: 0,
        overlapping: 0,
      },
      faults: { WALKER_KILLED: 2 },
      missed_without_fault: 0,
      wrong_values: 0,
      reasons: { TIMEOUT: 3 },
      unsettled: 0,
      problems: [],
    },
  };
}

const withSlots = (different: Partial<ChaosReportFile['slots']>) => ({
  ...clean(),
  slots: { ...clean().slots, ...different },
});
const withFault = (different: Partial<ChaosReportFile['faults'][number]>) => ({
  ...clean(),
  faults: clean().faults.map((fault) => ({ ...fault, ...different })),
});

const withGateways = (different: Partial<ChaosReportFile['gateways']>) => {
  const { problems: _, ...found } = { ...clean().gateways, ...different };
  return { ...clean(), gateways: { ...found, problems: problemsOf(found) } };
};
const withGatewaySlots = (different: Partial<ChaosReportFile['gateways']['slots']>) =>
  withGateways({ slots: { ...clean().gateways.slots, ...different } });

describe('a chaos run is judged', () => {
  test.each([
    ['lost', withGatewaySlots({ lost: 1 }), '1 slots lost'],
    ['doubled', withGatewaySlots({ doubled: 2 }), '2 slots doubled'],
    ['not due', withGatewaySlots({ strays: 1 }), '1 rows of slots that were not due'],
    ['overlapping', withGatewaySlots({ overlapping: 1 }), '1 overlapping polls'],
    ['missed in peace', withGateways({ missed_without_fault: 13 }), '13 slots missed while'],
    ['wrong', withGateways({ wrong_values: 1 }), '1 values stored that no device has'],
    ['away in the end', withGateways({ unsettled: 1 }), '1 gateways that were not polled'],
    ['never polled', withGatewaySlots({ polled: 0 }), 'nothing was polled'],
  ])('bad where something of gateways is %s', (_, report, sentence) => {
    expect(judge(report)).toEqual([expect.stringContaining(sentence)]);
  });

  test('good where everything held', () => {
    expect(judge(clean())).toEqual([]);
    expect(reportText({ ...clean(), sentences: [] })).toContain('everything held');
  });

  test.each([
    ['a lost slot', withSlots({ lost: 1 }), '1 lost'],
    ['a doubled slot', withSlots({ doubled: 2 }), '2 doubled'],
    ['overlapping polls', withSlots({ overlapping: 3 }), '3 overlapping'],
    ['a slot that stays pending', withSlots({ pending: 1 }), '1 still pending'],
    ['a fault that was not made', withFault({ problems: ['not ended'] }), 'at 12 s: not ended'],
    ['a fleet that stays late', withFault({ recovery_s: null }), 'did not become punctual again'],
    [
      'slots that nobody explains',
      { ...clean(), missed_without_fault: 9 },
      '9 slots were missed while nothing was wrong',
    ],
    [
      'a poll that failed for no reason of its vendor',
      { ...clean(), failed_without_fault: 1 },
      '1 polls failed or were refused',
    ],
    ['a plant that polls no more', { ...clean(), unsettled: 1 }, '1 plants that did not poll'],
    [
      'a violation',
      {
        ...clean(),
        violations: [
          { kind: 'LOOP_MISSING', plant_id: 'gen-1', at: null, sentence: 'No workflow runs.' },
        ],
      } satisfies Omit<ChaosReportFile, 'sentences'>,
      'LOOP_MISSING of gen-1: No workflow runs.',
    ],
    [
      'a worker that ended by itself',
      { ...clean(), ended_by_themselves: ['worker 7 ended by itself (exit code 1)'] },
      'worker 7',
    ],
    [
      'a secret that came out',
      { ...clean(), canary: { places: 600, hits: ['table poll_logs'] } },
      'a secret is in table poll_logs',
    ],
    [
      'a message that was lost',
      { ...clean(), messages: { ...clean().messages, lost: 1 } },
      '1 messages are SENT and did not arrive',
    ],
    [
      'a message that arrived more often than it was tried',
      { ...clean(), messages: { ...clean().messages, beyond_attempts: 1 } },
      '1 messages arrived more often',
    ],
    ['a search that saw little', { ...clean(), canary: { places: 3, hits: [] } }, 'only 3 places'],
    [
      'a machine that is too busy',
      { ...clean(), baseline: { slots: 260, p50Ms: 500, p99Ms: 1_500 } },
      'too busy',
    ],
  ])('bad for %s', (_, report, sentence) => {
    const sentences = judge(report);
    expect(sentences).toHaveLength(1);
    expect(sentences[0]).toContain(sentence);
    expect(reportText({ ...report, sentences })).toContain(sentence);
  });
});

test('a fleet that stays late on a machine that is busy with something else is not judged, and the report says so', () => {
  const report = withFault({ recovery_s: null, foreign_cores: 1.2 });
  expect(judge(report)).toEqual([]);
  expect(reportText({ ...report, sentences: [] })).toContain('not judged (machine busy)');
});

describe('slots that were not polled', () => {
  test('belong to the newest fault that could have been felt, or to none', () => {
    const everybody = () => true;
    const spans = [
      { name: 'A', fromMs: 0, toMs: 100, isFeltBy: everybody },
      { name: 'B', fromMs: 50, toMs: 150, isFeltBy: (plantId: string) => plantId === 'b' },
    ];
    const missed = [
      { plantId: 'a', slotMs: 10 },
      { plantId: 'a', slotMs: 60 },
      { plantId: 'b', slotMs: 60 },
      { plantId: 'b', slotMs: 150 },
      { plantId: 'b', slotMs: 151 },
      { plantId: 'a', slotMs: 150 },
    ];
    expect(explain(missed, spans)).toEqual({ byFault: { A: 2, B: 2 }, without: 2 });
  });
});
