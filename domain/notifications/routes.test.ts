import { expect, test } from 'vitest';

import { testNotice } from '../../test/support/notices.ts';
import {
  dueAtMs,
  nextAtMs,
  quietUntilMs,
  type RouteFilter,
  type RouteTimes,
  wants,
} from './routes.ts';

const everything: RouteFilter = {
  severities: [],
  subjectKinds: [],
  brands: [],
  customerIds: [],
  plantIds: [],
};
const atOnce: RouteTimes = {
  timezone: 'Europe/Zurich',
  quiet: null,
  digest: 'NONE',
  digestAt: null,
};
const at = (text: string) => Date.parse(text);

test('a route without filters wants everything, one with filters what passes all of them', () => {
  const notice = testNotice({ severity: 'YELLOW', brand: 'HUAWEI', customerId: 'noord' });
  expect(wants(everything, notice)).toBe(true);
  expect(wants({ ...everything, severities: ['RED'] }, notice)).toBe(false);
  expect(wants({ ...everything, brands: ['HUAWEI'], customerIds: ['noord'] }, notice)).toBe(true);
  expect(wants({ ...everything, brands: ['HUAWEI'], customerIds: ['zuid'] }, notice)).toBe(false);
});

test('a filter by customer leaves out what belongs to no customer', () => {
  const incident = testNotice({ customerId: null, subject: { kind: 'INCIDENT', id: '4' } });
  expect(wants({ ...everything, customerIds: ['noord'] }, incident)).toBe(false);
});

test('quiet hours over midnight hold what is yellow until they end, and let red pass', () => {
  const route = { ...atOnce, quiet: { from: '22:00', to: '06:30' } };
  const night = at('2026-12-01T23:15:00Z');
  expect(dueAtMs(route, testNotice({ severity: 'YELLOW' }), night)).toBe(
    at('2026-12-02T05:30:00Z'),
  );
  expect(dueAtMs(route, testNotice({ severity: 'RED' }), night)).toBe(night);
});

test.each([
  ['the first minute', '2026-12-01T21:00:00Z', '2026-12-02T05:30:00Z'],
  ['the last one', '2026-12-02T05:29:59Z', '2026-12-02T05:30:00Z'],
  ['the end itself', '2026-12-02T05:30:00Z', null],
  ['the minute before', '2026-12-01T20:59:59Z', null],
])('quiet hours from 22:00 to 06:30: %s', (_, now, until) => {
  expect(quietUntilMs({ from: '22:00', to: '06:30' }, 'Europe/Zurich', at(now))).toBe(
    until === null ? null : at(until),
  );
});

test('the digest takes what is yellow of plants; imports and red never wait', () => {
  const route: RouteTimes = { ...atOnce, digest: 'YELLOW', digestAt: '07:30' };
  const now = at('2026-12-01T12:00:00Z');
  expect(dueAtMs(route, testNotice({ severity: 'YELLOW' }), now)).toBe(at('2026-12-02T06:30:00Z'));
  expect(dueAtMs(route, testNotice({ severity: 'RED' }), now)).toBe(now);
  const imported = testNotice({ severity: 'YELLOW', subject: { kind: 'IMPORT_JOB', id: '9' } });
  expect(dueAtMs(route, imported, now)).toBe(now);
});

test('a digest at a skipped hour comes when the clock goes on', () => {
  expect(nextAtMs('02:30', 'Europe/Zurich', at('2027-03-27T12:00:00Z'))).toBe(
    at('2027-03-28T01:30:00Z'),
  );
});
