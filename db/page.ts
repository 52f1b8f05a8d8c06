/** Lists that are read a page at a time: where a page ends, and whether another one follows. */

/** One page of a list. */
export interface Page<Row> {
  rows: Row[];
  /** The last row of this page, behind which the next page begins; null on the last page. */
  nextAfter: Row | null;
}

/**
 * Reads one page. It asks for one row more than the page holds: that row is not shown, and tells that another page follows.
 *
 * @param read gives at most so many rows of the list, from the page's beginning on.
 * @example await readPage(50, (rows) => query.limit(rows).execute())
 */
export async function readPage<Row>(
  limit: number,
  read: (rows: number) => Promise<readonly Row[]>,
): Promise<Page<Row>> {
  return cutPage(await read(limit + 1), limit);
}

/** The first page of rows that were read already. */
export function cutPage<Row>(rows: readonly Row[], limit: number): Page<Row> {
  const shown = rows.slice(0, limit);
  return { rows: shown, nextAfter: rows.length > limit ? (shown.at(-1) ?? null) : null };
}
