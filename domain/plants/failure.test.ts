import { describe, expect, test } from 'vitest';
import { countsForIncident, refusesAccount, scopeOf } from './failure.ts';

describe('a failure that was stored without a scope', () => {
  test.each([
    ['AUTH_FAILED', 'ACCOUNT'],
    ['PLANT_NOT_FOUND', 'PLANT'],
    ['NETWORK_TIMEOUT', 'CLOUD'],
    ['RATE_LIMIT_EXCEEDED', 'CLOUD'],
    ['INVALID_DATA_FORMAT', 'CLOUD'],
    ['VENDOR_ERROR', 'CLOUD'],
    ['UNKNOWN', 'CLOUD'],
  ] as const)('%s is about the %s, as it was then', (type, scope) => {
    expect(scopeOf({ type })).toBe(scope);
    expect(refusesAccount({ type })).toBe(type === 'AUTH_FAILED');
    expect(countsForIncident({ type })).toBe(type !== 'PLANT_NOT_FOUND');
  });
});

test("only the vendor's own refusal of the account refuses it", () => {
  expect(refusesAccount({ type: 'AUTH_FAILED', scope: 'ACCOUNT' })).toBe(true);
  expect(refusesAccount({ type: 'AUTH_FAILED', scope: 'ACCOUNT', certain: false })).toBe(false);
  expect(refusesAccount({ type: 'AUTH_FAILED', scope: 'PLANT' })).toBe(false);
  expect(refusesAccount({ type: 'AUTH_FAILED', scope: 'REQUEST' })).toBe(false);
  expect(refusesAccount({ type: 'RATE_LIMIT_EXCEEDED', scope: 'ACCOUNT' })).toBe(false);
});

test.each([
  ['REQUEST', false],
  ['PLANT', false],
  ['ACCOUNT', true],
  ['CLOUD', true],
] as const)('a failure of the %s counts for incidents: %j', (scope, counts) => {
  expect(countsForIncident({ type: 'VENDOR_ERROR', scope })).toBe(counts);
  expect(countsForIncident({ type: 'AUTH_FAILED', scope, certain: false })).toBe(counts);
});
