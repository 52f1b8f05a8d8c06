import { describe, expect, test } from 'vitest';

import { digestMarkdown, median, type Report, reportMarkdown } from './report.ts';
import type { RowResult } from './run.ts';
import type { Engine } from './supervisor.ts';

function resultOf(row: string, engine: Engine, more: Partial<RowResult> = {}): RowResult {
  return {
    row,
    engine,
    plants: 250,
    interval_s: 15,
    seconds: 30,
    slots_due: 500,
    polled: 500,
    polled_late: 0,
    recorded: 0,
    lost: 0,
    doubled: 0,
    overlapping: 0,
    lateness: { p50_ms: 10, p99_ms: 30, max_ms: 90 },
    answers: 500,
    answers_per_s: 16.7,
    recovery_ms: null,
    drift_ms: null,
    cpu_ms_per_poll: { machine: 10, processes: 9 },
    crashes: 0,
    ...more,
  };
}

function reportOf(...results: RowResult[]): Report {
  return {
    measured_at: '2026-11-22T12:00:00.000Z',
    minutes: 1,
    runs: 3,
    seed: 1,
    is_quick: false,
    versions: {
      heliograph: '0.1.0',
      bullmq: '6.7.0',
      temporal_sdk: '1.24.0',
      node: '24.0.0',
      postgresql: '18.4',
      redis: '7.0.15',
      cpu: 'a processor',
      cores: 2,
    },
    results,
  };
}

const markdownOf = (...results: RowResult[]) => reportMarkdown(reportOf(...results));

/** The lines below "… is better …". */
function winsOf(markdown: string, engine: string): string[] {
  const after =
    markdown.split(`${engine} is better by more than a tenth, and in every run, in:\n\n`)[1] ?? '';
  return after
    .slice(0, after.search(/\n\n|\n$/))
    .split('\n')
    .map((line) => line.replace(/^- /, ''));
}

describe('the report', () => {
  test('says where the rival is better, and where Heliograph is', () => {
    const markdown = markdownOf(
      resultOf('kill', 'heliograph', { recovery_ms: 12_000, cpu_ms_per_poll: null }),
      resultOf('kill', 'bullmq', { recovery_ms: 7_000, lost: 3, cpu_ms_per_poll: null }),
    );
    expect(winsOf(markdown, 'BullMQ')).toEqual(['worker SIGKILL: recovery, s 7.0 against 12.0']);
    expect(winsOf(markdown, 'Heliograph')).toEqual(['worker SIGKILL: lost 0 against 3']);
  });

  test('calls nobody better for less than a tenth, or less than the noise', () => {
    const markdown = markdownOf(
      resultOf('sustained', 'heliograph', { answers_per_s: 95 }),
      resultOf('sustained', 'bullmq', {
        answers_per_s: 100,
        lateness: { p50_ms: 2, p99_ms: 30, max_ms: 90 },
      }),
    );
    expect(winsOf(markdown, 'BullMQ')).toEqual(['nothing']);
    expect(winsOf(markdown, 'Heliograph')).toEqual(['nothing']);
  });

  test('calls nobody better whose worst run is no better than the best of the other', () => {
    const lost = (engine: Engine, ...counts: number[]) =>
      counts.map((count) => resultOf('kill', engine, { lost: count }));
    const markdown = markdownOf(...lost('heliograph', 0, 0, 5), ...lost('bullmq', 5, 7, 9));
    expect(winsOf(markdown, 'Heliograph')).toEqual(['nothing']);
    const clear = markdownOf(...lost('heliograph', 0, 0, 4), ...lost('bullmq', 5, 7, 9));
    expect(winsOf(clear, 'Heliograph')).toEqual([
      'worker SIGKILL: lost 0 (0 – 4) against 7 (5 – 9)',
    ]);
  });

  test('does not weigh missed slots that are recorded', () => {
    const markdown = markdownOf(
      resultOf('overload', 'heliograph', { recorded: 900 }),
      resultOf('overload', 'bullmq', { lost: 900 }),
    );
    expect(winsOf(markdown, 'BullMQ')).toEqual(['nothing']);
    expect(winsOf(markdown, 'Heliograph')).toEqual(['3× overload: lost 0 against 900']);
  });

  test('shows the median with its range, and "never" for a row that did not recover', () => {
    const runs = [7_000, 5_000, 9_000].map((ms) =>
      resultOf('flushall', 'heliograph', { recovery_ms: ms }),
    );
    const markdown = markdownOf(...runs, resultOf('flushall', 'bullmq'));
    expect(markdown).toContain('| 7.0 (5.0 – 9.0) |');
    expect(winsOf(markdown, 'Heliograph')).toEqual([
      'Redis FLUSHALL: recovery, s 7.0 (5.0 – 9.0) against never',
    ]);
  });

  test('knows no recovery where there was no fault', () => {
    expect(markdownOf(resultOf('baseline', 'bullmq'))).not.toContain('never');
  });
});

describe('the digest', () => {
  test('has a line for each row and a column for each engine, with medians and ranges', () => {
    const digest = digestMarkdown(
      reportOf(
        resultOf('kill', 'heliograph', { recovery_ms: 10_000, cpu_ms_per_poll: null }),
        resultOf('kill', 'heliograph', { recovery_ms: 12_000, cpu_ms_per_poll: null }),
        resultOf('kill', 'bullmq', { lost: 3, cpu_ms_per_poll: null }),
      ),
    );
    expect(digest.split('\n').filter((line) => line.startsWith('|'))).toEqual([
      '|  | Heliograph | BullMQ | BullMQ, hardened by hand |',
      '| --- | --- | --- | --- |',
      '| worker SIGKILL | 30 ms late (p99); **0 lost**; 0 doubled; 0 overlapping; **11.0 (10.0 – 12.0) s to recover** | 30 ms late (p99); 3 lost; 0 doubled; 0 overlapping; never recovers | – |',
    ]);
  });

  test('marks where the rival is better', () => {
    const digest = digestMarkdown(
      reportOf(
        resultOf('baseline', 'heliograph'),
        resultOf('baseline', 'bullmq', { cpu_ms_per_poll: { machine: 4, processes: 3 } }),
      ),
    );
    expect(digest).toContain('| 10.0 ms CPU a poll; 30 ms late (p99)');
    expect(digest).toContain('| **4.0 ms CPU a poll**; 30 ms late (p99)');
  });

  test('shows what was polled, not how late, where more is offered than can be polled', () => {
    const digest = digestMarkdown(reportOf(resultOf('sustained', 'bullmq')));
    expect(digest).toContain(
      '16.7 polls/s; 10.0 ms CPU a poll; 0 lost; 0 doubled; 0 overlapping | – |',
    );
  });
});

describe('the median', () => {
  test('is the middle, or the mean of the middle two', () => {
    expect(median([1, 2, 9])).toBe(2);
    expect(median([1, 2, 4, 9])).toBe(3);
    expect(median([5])).toBe(5);
    expect(median([])).toBeNull();
  });
});
