import { describe, expect, test } from 'vitest';

import { hasHiddenCharacters } from './hidden-characters.ts';

describe('hidden characters', () => {
  test.each([
    ['NUL', '\0'],
    ['ESC', '\u001B[31m'],
    ['a line end', '\n'],
    ['a control character above ASCII', '\u009B'],
    ['half of a character', '\uD800'],
    ['a line separator', '\u2028'],
    ['a mark that reverses text', '\u202E'],
    ['a mark that isolates text', '\u2066'],
    ['a right-to-left mark', '\u200F'],
  ])('%s is one', (_, text) => {
    expect(hasHiddenCharacters(`a${text}b`)).toBe(true);
  });

  test.each([
    ['letters with accents', 'São Paulo, Zürich'],
    ['text that runs from right to left by itself', 'מתקן סולארי'],
    ['an emoji of several characters', '👩‍🔧'],
    ['a joiner that words need', 'می‌خواهم'],
  ])('%s has none', (_, text) => {
    expect(hasHiddenCharacters(text)).toBe(false);
  });
});
