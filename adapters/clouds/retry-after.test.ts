import { expect, test } from 'vitest';
import { retryAfterMs } from './retry-after.ts';

const now = new Date('2026-06-11T12:00:00Z');
const asked = (header?: string): number | undefined =>
  retryAfterMs(
    { status: 429, headers: header === undefined ? {} : { 'retry-after': header }, body: '' },
    now,
  );

test.each([
  ['30', 30_000],
  [' 0 ', 0],
  ['1.5', 1_500],
  ['Thu, 11 Jun 2026 12:01:30 GMT', 90_000],
  ['Thu, 11 Jun 2026 11:00:00 GMT', 0],
  ['999999999', 86_400_000],
  ['Fri, 11 Jun 2027 12:00:00 GMT', 86_400_000],
])('Retry-After %j is %d ms', (header, waitMs) => {
  expect(asked(header)).toBe(waitMs);
});

test.each([undefined, '', 'soon', '-5s', 'NaN'])('Retry-After %j says nothing', (header) => {
  expect(asked(header)).toBeUndefined();
});
