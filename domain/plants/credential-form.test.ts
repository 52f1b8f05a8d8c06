import { describe, expect, test } from 'vitest';
import { describeForm, readCredentials } from './credential-form.ts';

const form = {
  credentialFields: ['account', 'password'],
  credentialChoices: [{ field: 'portal', values: ['SEMS', 'SEMS_PLUS'], usual: 'SEMS_PLUS' }],
};
const entered = { account: 'a', password: 'b' };

describe('entered credentials', () => {
  test.each([
    [{}, 'SEMS_PLUS'],
    [{ portal: '' }, 'SEMS_PLUS'],
    [{ portal: 'SEMS' }, 'SEMS'],
  ])('with %j are stored with portal %s', (choice, portal) => {
    expect(readCredentials(form, { ...entered, ...choice })).toEqual({
      ok: true,
      credentials: { ...entered, portal },
    });
  });

  test('of a brand without choices are stored as they are', () => {
    expect(readCredentials({ credentialFields: ['account', 'password'] }, entered)).toEqual({
      ok: true,
      credentials: entered,
    });
  });

  test('name what is missing, what is unknown, and which values are allowed, and nothing that was entered', () => {
    const read = readCredentials(form, { account: '', portal: 'canary', pasword: 'canary' });
    expect(read).toEqual({
      ok: false,
      missing: ['account', 'password'],
      unknown: ['pasword'],
      problems: ['portal must be SEMS or SEMS_PLUS'],
    });
  });

  test('are not taken from a prototype', () => {
    expect(readCredentials({ credentialFields: ['toString'] }, {})).toMatchObject({
      missing: ['toString'],
    });
  });
});

test('a form is described in one line', () => {
  expect(describeForm(form)).toBe(
    'account, password, and optionally portal (SEMS or SEMS_PLUS; SEMS_PLUS if left out)',
  );
  expect(describeForm({ credentialFields: ['keyId'] })).toBe('keyId');
});
