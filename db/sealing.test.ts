import { createSecretKey, randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { type MasterKey, openCredentials, sealCredentials } from './sealing.ts';
import { PlainError } from '../domain/plain-error.ts';

const key = (version: string): MasterKey => ({ version, key: createSecretKey(randomBytes(32)) });
const current = key('current');
const keys = { current, previous: null };
const credentials = { apiId: 'canary-id', apiSecret: 'canary-secret' };

describe('sealed credentials', () => {
  test('open to what was sealed, and the sealed bytes hold none of it', () => {
    const sealed = sealCredentials(keys, 'account', credentials);
    expect(openCredentials(keys, sealed)).toEqual(credentials);
    expect(Buffer.concat([sealed.iv, sealed.sealed]).toString('latin1')).not.toContain('canary');
  });

  test('are sealed with a fresh IV each time', () => {
    const [one, two] = [
      sealCredentials(keys, 'account', credentials),
      sealCredentials(keys, 'account', credentials),
    ];
    expect(one.iv.equals(two.iv)).toBe(false);
    expect(one.sealed.equals(two.sealed)).toBe(false);
  });

  test('do not open in the row of another account', () => {
    const sealed = sealCredentials(keys, 'account', credentials);
    expect(() => openCredentials(keys, { ...sealed, accountId: 'other' })).toThrow(
      'belongs to another account',
    );
  });

  test("do not open under another key's name", () => {
    const sealed = sealCredentials(keys, 'account', credentials);
    const renamed = { current: { ...current, version: 'renamed' }, previous: null };
    expect(() => openCredentials(renamed, { ...sealed, keyVersion: 'renamed' })).toThrow(
      PlainError,
    );
  });

  test.each([
    [
      'a byte of the ciphertext changed',
      (sealed: Buffer) => Buffer.concat([Buffer.from([(sealed[0] ?? 0) ^ 1]), sealed.subarray(1)]),
    ],
    ['the tag cut short', (sealed: Buffer) => sealed.subarray(0, -4)],
    ['nothing but a tag', (sealed: Buffer) => sealed.subarray(-16)],
    ['less than a tag', () => Buffer.alloc(3)],
  ])('do not open with %s, and the error says nothing of them', (_, change) => {
    const sealed = sealCredentials(keys, 'account', credentials);
    const open = () => openCredentials(keys, { ...sealed, sealed: change(sealed.sealed) });
    expect(open).toThrow(PlainError);
    expect(open).not.toThrow(/canary|tag|decrypt/);
  });

  test('open with the previous key after a change of keys; with neither, the error names the key and no secret', () => {
    const sealed = sealCredentials(keys, 'account', credentials);
    const changed = { current: key('new'), previous: current };
    expect(openCredentials(changed, sealed)).toEqual(credentials);
    expect(() => openCredentials({ current: key('new'), previous: key('older') }, sealed)).toThrow(
      'sealed with master key current',
    );
  });
});
