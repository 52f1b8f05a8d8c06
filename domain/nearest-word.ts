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

/** Characters to insert, delete, replace, or swap with their neighbour. */
export function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let i = 1; i <= a.length; i += 1) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? at(i - 2, j - 2) + 1 : Infinity;
      rows[i]?.push(Math.min(replaced, at(i - 1, j) + 1, at(i, j - 1) + 1, swapped));
    }
  }
  return at(a.length, b.length);
}
