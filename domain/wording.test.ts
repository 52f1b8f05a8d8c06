import { describe, expect, test } from 'vitest';

import { sinceText } from './wording.ts';

describe('sinceText', () => {
  test("leaves out the date of today, by the plant's calendar", () => {
    const nowMs = Date.parse('2026-06-02T04:00:00Z');
    const atMs = Date.parse('2026-06-02T01:30:00Z');
    expect(sinceText(atMs, 'UTC', nowMs)).toBe('01:30 UTC');
    expect(sinceText(atMs, 'America/Denver', nowMs)).toBe('19:30 UTC-6');
    expect(sinceText(Date.parse('2026-06-01T23:59:00Z'), 'UTC', nowMs)).toBe(
      '2026-06-01 23:59 UTC',
    );
  });
});
