/**
 * Characters that nobody sees and that change what people see: control characters (NUL, ESC, line ends), halves of characters
 * (surrogates), line and paragraph separators, and the marks that turn the direction of text. PostgreSQL refuses some of
 * them, terminals obey others. It is the inside of a class of a regular expression with the flag `u`.
 */
export const hiddenCharacters = String.raw`\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069`;

const anyHidden = new RegExp(`[${hiddenCharacters}]`, 'u');

export function hasHiddenCharacters(text: string): boolean {
  return anyHidden.test(text);
}

/** One line, which may be empty, without hidden characters. */
export const oneLinePattern = new RegExp(`^[^${hiddenCharacters}]*$`, 'u');
