import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { nextSlotAfter } from '../../../domain/slots.ts';
import { gridOf, judgePolls, pollsOfLog } from './judge.ts';

const intervalMs = 10_000;
const fromMs = 1_800_000_000_000;
const window = { fromMs, toMs: fromMs + 3 * intervalMs, intervalMs };
const slot = (n: number) => nextSlotAfter(gridOf('g', intervalMs), fromMs - 1) + n * intervalMs;

test('each slot of each gateway is polled, lost, or polled too often', () => {
  const polls = [
    { gatewayId: 'g', atMs: slot(0) + 4 },
    { gatewayId: 'g', atMs: slot(2) + 1 },
    { gatewayId: 'g', atMs: slot(2) + 9_000 },
    // Outside of the window on both sides.
    { gatewayId: 'g', atMs: slot(0) - 1 },
    { gatewayId: 'g', atMs: slot(3) },
  ];
  expect(judgePolls(polls, ['g', 'h'], window)).toEqual({
    slots_due: 6,
    polls: 2,
    polls_per_s: 0.1,
    late: { p50_ms: 4, p99_ms: 4, max_ms: 4 },
    lost: 4,
    doubled: 1,
  });
});

test('an engine that polls nothing has no lateness', () => {
  expect(judgePolls([], ['g'], window)).toMatchObject({ late: null, lost: 3, polls_per_s: 0 });
});

test('a poll is the first of its requests, and a half-written line is none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-judge-'));
  const file = join(folder, 'farm.log');
  writeFileSync(file, 'g 5 1 4 0 14\ng 6 1 4 52 26\nh 7 1 4 0 14\nh 8 1 4 0');
  expect(pollsOfLog(file)).toEqual([
    { gatewayId: 'g', atMs: 5 },
    { gatewayId: 'h', atMs: 7 },
  ]);
  rmSync(folder, { recursive: true });
});
