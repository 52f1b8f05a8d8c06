import { expect, test } from 'vitest';

import { anySeed, fuzzClient, fuzzFrames, seededRandom } from './frames.ts';

/** A short round of `npm run fuzz:modbus`, from another seed each time. */

test('no frame that is not the answer is taken, and none that is the answer is refused', () => {
  const seed = anySeed();
  const { taken, wrong } = fuzzFrames(100_000, seededRandom(seed));
  expect(wrong, `seed ${seed}`).toEqual([]);
  expect(taken).toBeGreaterThan(10_000);
});

test('over real connections, in pieces', async () => {
  const seed = anySeed();
  const { taken, wrong } = await fuzzClient(500, seededRandom(seed));
  expect(wrong, `seed ${seed}`).toEqual([]);
  expect(taken).toBeGreaterThan(50);
});
