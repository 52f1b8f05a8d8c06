import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { AdapterError } from './adapter-error.ts';
import { bodyCharactersMax, bodyDepthMax, check, parseJson } from './json.ts';

function refusal(run: () => unknown): AdapterError {
  try {
    run();
  } catch (error) {
    if (error instanceof AdapterError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('parseJson', () => {
  test('gives what JSON.parse gives where every whole number is safe', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), (text) => {
        fc.pre(!text.includes('__proto__'));
        const unsafe = /(?<![\d.e+-])-?\d{16,}(?![\d.e])/.test(text);
        fc.pre(!unsafe);
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('keeps every digit of an id that a double cannot hold, as text', () => {
    expect(parseJson('{"id":1298491919448631809,"n":-9007199254740993}')).toEqual({
      id: '1298491919448631809',
      n: '-9007199254740993',
    });
  });

  test('leaves 2^53 − 1 a number and makes 2^53 a text', () => {
    expect(parseJson('[9007199254740991,9007199254740992]')).toEqual([
      9007199254740991,
      '9007199254740992',
    ]);
  });

  test('leaves numbers with fractions and beyond any to the caller', () => {
    expect(parseJson('[16770.000,1e999]')).toEqual([16770, Number.POSITIVE_INFINITY]);
  });

  test('drops keys named __proto__ at every depth', () => {
    const value = parseJson('{"__proto__":{"a":1},"b":[{"__proto__":2,"c":3}]}');
    expect(JSON.stringify(value)).toBe('{"b":[{"c":3}]}');
    expect((value as { a?: number }).a).toBeUndefined();
  });

  test('reads a body with a byte order mark and blanks around it', () => {
    expect(parseJson('\ufeff {"a":1}\r\n')).toEqual({ a: 1 });
  });

  test(`reads ${bodyDepthMax} levels and refuses one more, brackets in texts not counted`, () => {
    expect(() => parseJson(nested(bodyDepthMax))).not.toThrow();
    expect(refusal(() => parseJson(nested(bodyDepthMax + 1))).message).toContain('deeper');
    expect(() => parseJson(JSON.stringify('[{"\\'.repeat(1_000)))).not.toThrow();
  });

  test(`reads ${bodyCharactersMax} characters and refuses one more before looking at it`, () => {
    const longest = `"${'x'.repeat(bodyCharactersMax - 2)}"`;
    expect(parseJson(longest)).toHaveLength(bodyCharactersMax - 2);
    expect(refusal(() => parseJson(`${longest} `)).message).toContain('longer');
  });

  test.each([
    ['', 'empty'],
    [' \n', 'empty'],
    ['<html>secret-page</html>', 'HTML'],
    ['\n<!DOCTYPE html>', 'HTML'],
    ['{"secret":', 'cut off'],
    ['secret text', 'not JSON'],
  ])('refuses %j, saying why and nothing of the body', (body, why) => {
    const error = refusal(() => parseJson(body));
    expect(error.type).toBe('INVALID_DATA_FORMAT');
    expect(error.message).toContain(why);
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain('secret');
  });
});

describe('check', () => {
  const schema = z.object({ data: z.array(z.object({ energy: z.number() })) });

  test('gives what the schema makes of the value', () => {
    expect(check(schema, { data: [{ energy: 1, other: 2 }] }, 'month')).toEqual({
      data: [{ energy: 1 }],
    });
  });

  test('names the path and what was expected there, never the value', () => {
    const error = refusal(() => check(schema, { data: [{ energy: 'canary' }] }, 'month'));
    expect(error.type).toBe('INVALID_DATA_FORMAT');
    expect(error.message).toBe('month: data.0.energy is missing or not of type number');
  });

  test("shows no key that the vendor's body brought along", () => {
    const record = z.record(z.string(), z.number());
    const error = refusal(() => check(record, { 'canary token': 'x' }, 'list'));
    expect(error.message).toBe('list: … is missing or not of type number');
  });

  test('says which values are known where another came', () => {
    const error = refusal(() => check(z.enum(['a', 'b']), 'canary', 'state'));
    expect(error.message).toBe('state: the answer is none of a, b');
  });
});
