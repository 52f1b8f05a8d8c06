/** The known word that takes the fewest changes of single characters to reach; the first of several. Null without any. */
export function nearestWord(
  word: string,
  known: readonly string[],
): { word: string; changes: number } | null {
  return known.reduce<{ word: string; changes: number } | null>((best, one) => {
    const changes = editDistance(word, one);
    return best === null || changes < best.changes ? { word: one, changes } : best;
  }, null);
}

/** Characters to insert, delete or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const replaced = (row[j] ?? 0) + (letter === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
