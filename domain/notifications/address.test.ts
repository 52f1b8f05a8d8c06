import fc from 'fast-check';
import { expect, test } from 'vitest';

import { isMailAddress } from './address.ts';

test.each(['ana@example.org', 'a.b+plants@mail.example.co.uk', "o'neill@example.org"])(
  '%s is an address',
  (text) => {
    expect(isMailAddress(text)).toBe(true);
  },
);

test.each([
  'ok@x.test\r\nRCPT TO:<evil@x.test>',
  'a@x.test, b@x.test',
  '"a b"@x.test',
  'Ana <ana@x.test>',
  'ana@x.test (comment)',
  'a@b@x.test',
  'ana@localhost',
  'ana@-x.test',
  '.ana@x.test',
  'a..b@x.test',
  'ana@x..test',
  'ana@[127.0.0.1]',
  'ana@x.test\u0000',
  'anä@x.test',
  `${'a'.repeat(65)}@x.test`,
  `a@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.${'e'.repeat(63)}.test`,
  '',
])('%j is none', (text) => {
  expect(isMailAddress(text)).toBe(false);
});

test('no address holds a character that ends a line, a list or a name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const text = `${a}@${b}.test`;
      return !isMailAddress(text) || /^[!#-'*+\-/-9=?@A-Z^-~.]+$/.test(text);
    }),
  );
});
