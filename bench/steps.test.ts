import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { steps } from './steps-taken.ts';

const textOf = (file: string) =>
  readFileSync(fileURLToPath(new URL(`../${file}`, import.meta.url)), 'utf8');

test.each(steps.map((step) => [step.name, step] as const))('%s can be edited', (_, { edits }) => {
  for (const { file, from } of edits) expect(textOf(file).split(from)).toHaveLength(2);
});
