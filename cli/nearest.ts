import { editDistance } from '../domain/nearest-word.ts';

/** Guesses which command was meant by one that does not exist. */

const guessesMax = 3;

/** One sentence's end for the words that name no command: "did you mean `plants list`?". */
export function guessSentence(words: readonly string[], names: readonly string[]): string {
  const guesses = nearest(words, names).map((name) => `\`${name}\``);
  if (guesses.length > 0) return `did you mean ${joined(guesses)}?`;
  const [group = ''] = words;
  const ofGroup = names.filter((name) => name.startsWith(`${group} `));
  if (ofGroup.length > 0) return `there are ${ofGroup.join(', ')}`;
  return '`heliograph help` lists all';
}

/** The names with the fewest wrong letters; none if all are far away. */
function nearest(words: readonly string[], names: readonly string[]): string[] {
  const isGroup = names.some((name) => name.startsWith(`${words[0] ?? ''} `));
  const rated = names.map((name) => ({
    name,
    wrong: wrongLetters(words, name.split(' '), { isGroup }),
  }));
  const least = Math.min(...rated.map(({ wrong }) => wrong));
  if (least === Infinity) return [];
  return rated
    .filter(({ wrong }) => wrong === least)
    .slice(0, guessesMax)
    .map(({ name }) => name);
}

/** Infinity if a word is another one. @param of.isGroup the first word is a group: then none is missing. */
function wrongLetters(
  words: readonly string[],
  name: readonly string[],
  { isGroup }: { isGroup: boolean },
): number {
  const whole = name.map((part, index) => closeness(words[index] ?? '', part));
  const sum = whole.reduce((total, wrong) => total + wrong, 0);
  // `import fleet.csv`: the group is missing.
  const withoutGroup =
    name.length > 1 && !isGroup ? 1 + closeness(words[0] ?? '', name.at(-1) ?? '') : Infinity;
  return Math.min(sum, withoutGroup);
}

function closeness(word: string, wanted: string): number {
  const distance = editDistance(word, wanted);
  const allowed = wanted.length <= 3 ? 1 : wanted.length <= 6 ? 2 : 3;
  return distance > allowed ? Infinity : distance;
}

/** "a", "a or b", "a, b or c". */
function joined(texts: readonly string[]): string {
  if (texts.length < 2) return texts.join('');
  return `${texts.slice(0, -1).join(', ')} or ${texts.at(-1) ?? ''}`;
}
