import { expect, test } from 'vitest';

import { repeatLink } from './repeat-link.ts';

const never = new AbortController().signal;

test('says the link again until it is used', async () => {
  const said: string[] = [];
  const isOpen = async () => said.length < 2;
  await repeatLink({ line: 'the link', isOpen }, (line) => said.push(line), never, [1, 1, 1, 1]);
  expect(said).toEqual(['the link', 'the link']);
});

test('says nothing any more once all of it stops', async () => {
  const said: string[] = [];
  const stopping = new AbortController();
  const link = { line: 'the link', isOpen: async () => true };
  const repeating = repeatLink(link, (line) => said.push(line), stopping.signal, [60_000]);
  stopping.abort();
  await repeating;
  expect(said).toEqual([]);
});
