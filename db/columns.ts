import type { ColumnType } from 'kysely';

/** Types of columns. Instants come out as `Date` and go in as `Date`; dates are `YYYY-MM-DD`; int8 is a number. */

/** JSON columns go in as text and come out parsed. */
export type NullableJson<T> = ColumnType<T | null, string | null | undefined, string | null>;
/** An instant that has a default. */
export type Instant = ColumnType<Date, Date | undefined, Date>;
