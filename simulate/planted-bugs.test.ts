import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { siteMutations } from './gateways/mutations.ts';
import { mutations } from './mutations.ts';

/** The bugs themselves are planted by `npm run simulate:mutations`, which takes minutes. */

test.each([...mutations, ...siteMutations])('can be planted: $name', ({ file, from, to }) => {
  const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
  expect(text.split(from)).toHaveLength(2);
  expect(text.replace(from, to)).not.toBe(text);
});
