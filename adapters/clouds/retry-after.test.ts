import { expect, test } from 'vitest';
import { retryAfterMs, troubleByStatus } from './retry-after.ts';

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

test('troubleByStatus knows 429 and 5xx, and nothing else', () => {
  const trouble = (status: number, headers = {}) =>
    troubleByStatus('days', { status, headers, body: '' }, now, 60_000);
  expect(trouble(429)).toMatchObject({ type: 'RATE_LIMIT_EXCEEDED', retryAfterMs: 60_000 });
  expect(trouble(429, { 'retry-after': '5' })).toMatchObject({ retryAfterMs: 5_000 });
  expect(trouble(500)).toMatchObject({ type: 'VENDOR_ERROR', message: 'days: HTTP 500' });
  expect([trouble(200), trouble(404), trouble(499)]).toEqual([null, null, null]);
});
