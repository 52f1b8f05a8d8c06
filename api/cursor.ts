import { z } from '@hono/zod-openapi';

import { Problem } from './problem.ts';

/** Cursors: the end of a page, opaque to the client that sends it with the next request. */

type Part = string | number | null;

/** Maximum length of a cursor. */
const cursorLengthMax = 600;
const partsSchema = z.array(z.union([z.string(), z.number(), z.null()])).max(12);

/** @param list what the cursor belongs to: another list, or the same one in another order, refuses it. */
export function writeCursor(list: string, position: readonly Part[] | null): string | null {
  if (position === null) return null;
  return Buffer.from(JSON.stringify([list, ...position])).toString('base64url');
}

/** The position after which a page begins; null without a cursor. Throws Problem 422. */
export function readCursor(list: string, cursor: string | undefined): Part[] | null {
  if (cursor === undefined) return null;
  try {
    const [of, ...position] = partsSchema.parse(
      JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')),
    );
    if (of === list) return position;
  } catch {
    // Not one of ours.
  }
  throw new Problem('invalid-request', 'cursor: not a cursor of this list in this order', {
    extra: { errors: [{ in: 'query', path: 'cursor', message: 'not a cursor of this list' }] },
  });
}

/** The same for positions that consist of `parts` numbers. Throws Problem 422. */
export function readNumberCursor(
  list: string,
  cursor: string | undefined,
  parts: number,
): number[] | null {
  const position = readCursor(list, cursor);
  if (position === null) return null;
  const numbers = position.filter((part) => typeof part === 'number' && Number.isFinite(part));
  if (numbers.length === parts && position.length === parts) return numbers as number[];
  throw new Problem('invalid-request', 'cursor: not a cursor of this list');
}

/** The query parameters of a paged list. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .openapi({ description: 'maximum number of entries' }),
  cursor: z
    .string()
    .max(cursorLengthMax)
    .optional()
    .openapi({ description: '`next_cursor` of the previous page' }),
};
