/** Answers of a vendor that are an attack, or rubbish. Each must end in an ERROR row with its type, and nowhere else. */

export const hostileBodies = [
  'NAN',
  'HUGE_NUMBER',
  'TEN_MEGABYTES',
  'DEEP',
  'PROTOTYPE',
  'HTML',
] as const;
export type HostileBody = (typeof hostileBodies)[number];

const megabyte = 1_048_576;
const depth = 100_000;

/** Every brand's words for energy and power, beside a number. */
const amounts = /("[^"]*(?:energy|power|generation|pac|eday|etotal|_cap)[^"]*"\s*:\s*)-?\d[\d.]*/gi;
/** The same where a vendor writes name and value apart. */
const namedAmounts = /("key":"[^"]*(?:power|production)[^"]*","value":")-?\d[\d.]*"/gi;

/** What the vendor answers instead of `body`. */
export function spoilt(kind: HostileBody, body: string): string {
  switch (kind) {
    case 'NAN':
      return body.replaceAll(amounts, '$1NaN');
    case 'HUGE_NUMBER':
      return body.replaceAll(amounts, '$11e308').replaceAll(namedAmounts, '$11e308"');
    case 'TEN_MEGABYTES':
      return `{"filler":"${'x'.repeat(10 * megabyte)}"}`;
    case 'DEEP':
      return '['.repeat(depth) + ']'.repeat(depth);
    case 'PROTOTYPE':
      return `{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"__proto__":${body}}`;
    case 'HTML':
      return '<!doctype html><html><body><script>alert(1)</script></body></html>';
  }
}
