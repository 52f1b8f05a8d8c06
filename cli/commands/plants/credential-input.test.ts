import { Readable } from 'node:stream';

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { CommandError } from '../../../environment/config.ts';
import { readInput } from '../../fields-input.ts';
import { parseCredentials } from './credential-input.ts';

const form = { credentialFields: ['keyId', 'keySecret'] };
const refusal = (text: string): CommandError => {
  try {
    parseCredentials(text, form);
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error('these credentials were accepted');
};

describe('credentials on standard input', () => {
  test('are lines of field=value, where the value is everything behind the first =', () => {
    expect(parseCredentials('keyId=130\r\n\r\n keySecret =a=b c \r\n', form)).toEqual({
      keyId: '130',
      keySecret: 'a=b c ',
    });
  });

  test('are a JSON object of texts', () => {
    expect(parseCredentials(' {"keySecret": "s", "keyId": "130"}\n', form)).toEqual({
      keyId: '130',
      keySecret: 's',
    });
  });

  test('name the fields that are missing and those that are unknown', () => {
    const error = refusal('keyId=130\nkeySecrt=x');
    expect(error.message).toBe(
      'the fields are wrong (missing: keySecret; unknown: keySecrt): this account needs keyId, keySecret',
    );
    expect(error.exitCode).toBe(2);
  });

  test('take a choice, or its usual value, and name the allowed ones', () => {
    const portal = { field: 'portal', values: ['SEMS', 'SEMS_PLUS'], usual: 'SEMS_PLUS' };
    const goodwe = { credentialFields: ['account', 'password'], credentialChoices: [portal] };
    const read = (text: string) => parseCredentials(text, goodwe);
    expect(read('account=a\npassword=b')).toEqual({
      account: 'a',
      password: 'b',
      portal: 'SEMS_PLUS',
    });
    expect(read('account=a\npassword=b\nportal=SEMS')).toMatchObject({ portal: 'SEMS' });
    expect(() => read('account=a\npassword=b\nportal=SEMS+')).toThrow(
      'the fields are wrong (portal must be SEMS or SEMS_PLUS): this account needs account, password, and optionally portal (SEMS or SEMS_PLUS; SEMS_PLUS if left out)',
    );
  });

  test('have no empty value, no field twice, no value that is no text', () => {
    expect(refusal('keyId=\nkeySecret=x').message).toContain('missing: keyId');
    expect(refusal('keyId=1\nkeyId=2').message).toBe('keyId is given twice');
    expect(refusal('{"keyId": 130, "keySecret": "s"}').message).toBe('keyId must be text');
    expect(refusal('{"keyId": "1\\u0000", "keySecret": "s"}').message).toContain(
      'without control characters',
    );
    expect(refusal('{"__proto__": "x"}').message).toContain('missing: keyId, keySecret');
  });

  test('are never told back, whatever is wrong with them', () => {
    const canary = 'kX9-canary-Q2';
    const noise = fc.string({ unit: 'grapheme-ascii', maxLength: 12 });
    const input = fc.tuple(
      noise,
      fc.constantFrom('keyId=', 'keySecret=', 'x=', '{"keyId":"', '{', '', '"'),
      noise,
      noise,
    );
    fc.assert(
      fc.property(input, ([before, opening, between, behind]) => {
        try {
          parseCredentials(`${before}\n${opening}${between}${canary}${behind}`, form);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
          expect(String(error)).not.toContain(canary);
          expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(canary);
        }
      }),
    );
  });

  test('are not read from a terminal, which would show them', async () => {
    const terminal = Object.assign(Readable.from([]), { isTTY: true });
    await expect(readInput(terminal, 'keyId, keySecret')).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('keyId, keySecret'),
    });
  });

  test('come in pieces, even within a character, and without their byte order mark', async () => {
    const bytes = Buffer.from('\ufeffkeyId=ä');
    expect(await readInput(Readable.from([bytes.subarray(0, -1), bytes.subarray(-1)]), '')).toBe(
      'keyId=ä',
    );
  });

  test('end somewhere', async () => {
    await expect(
      readInput(Readable.from(Array(9).fill('x'.repeat(8_192))), ''),
    ).rejects.toMatchObject({ exitCode: 2 });
  });
});
