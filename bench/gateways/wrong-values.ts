import { type RawBuilder, sql } from 'kysely';

/**
 * Whether a value of a reading is one that no simulated meter has. They show 231 to 232 V, 50 Hz and round sums; a float
 * whose words are swapped is far from them, or next to 0 without being 0.
 *
 * @param value and `nth` (from 1): SQL of a value and its place among the bench's points.
 */
export function isWrongValue(
  value: RawBuilder<number>,
  nth: RawBuilder<number>,
): RawBuilder<boolean> {
  return sql`(${value} is not null and (${nth} <= 3 and ${value} not between 230 and 233
    or ${nth} = 10 and ${value} not between 49.9 and 50.1
    or ${nth} > 10 and ${value} not between 1 and 1e6
    or ${value} <> 0 and abs(${value}) < 1e-6))`;
}
