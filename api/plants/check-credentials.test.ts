import { expect, test } from 'vitest';
import { testCredentialForms } from '../../test/support/api.ts';
import { Problem } from '../problem.ts';
import { checkCredentials } from './actions.ts';

const check = (credentials: Record<string, string>) =>
  checkCredentials({ credentialForms: testCredentialForms }, 'GOODWE', credentials);
const login = { account: 'canary-1', password: 'canary-2' };

test('credentials are used with the choice that was made, or with the usual one', () => {
  expect(check(login)).toEqual({ ...login, portal: 'SEMS_PLUS' });
  expect(check({ ...login, portal: 'SEMS' })).toEqual({ ...login, portal: 'SEMS' });
});

test.each([
  { ...login, portal: 'canary-3' },
  { account: 'canary-1' },
  { ...login, host: 'canary-4' },
])(
  'a refusal names the fields and the allowed values, and nothing that was sent (%#)',
  (credentials) => {
    let refusal: unknown;
    try {
      check(credentials);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(Problem);
    const told = JSON.stringify(refusal, Object.getOwnPropertyNames(refusal));
    expect(told).toContain(
      'must hold account, password, and optionally portal (SEMS or SEMS_PLUS; SEMS_PLUS if left out) and nothing else',
    );
    expect(told).not.toContain('canary');
  },
);
