import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { accepts } from 'hono/accepts';

import type { ApiEnv } from './env.ts';

/** Tables as spreadsheets open them: RFC 4180, with a header row. */

/** `?format=csv`: see `wantsCsv`. */
export const csvFlag = z.enum(['json', 'csv']).optional();

/** A documented answer in JSON or CSV. */
export function csvAnswer<Schema extends z.ZodType>(schema: Schema, description: string) {
  const content = { 'application/json': { schema }, 'text/csv': { schema: z.string() } };
  return { description, content };
}

type Cell = string | number | boolean | null;

/** Whether the request wants CSV: by `?format=csv` or by `Accept`. */
export function wantsCsv(c: Context<ApiEnv>): boolean {
  const format = c.req.query('format');
  if (format !== undefined) return format === 'csv';
  const supports = ['application/json', 'text/csv'];
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/csv';
}

/**
 * A spreadsheet reads a cell with this start as a formula. A program that splits at `;` begins a cell after each, and East
 * Asian input methods write the signs fullwidth.
 */
const formulaStart = /(^|;)(?=\s*[=+\-@＝＋－＠]|[\t\r])/g;

/** Text that a spreadsheet could run gets a `'` before each place where a formula could begin; numbers are numbers. */
function csvCell(value: Cell): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const safe = value.replaceAll(formulaStart, "$1'");
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The rows under the member names of the first row, or `columns` if there may be no row. */
export function csvText<Row extends Readonly<Record<string, Cell>>>(
  columns: readonly (keyof Row & string)[],
  rows: readonly Row[],
): string {
  const lines = rows.map((row) => columns.map((column) => csvCell(row[column] ?? null)).join(','));
  return [columns.join(','), ...lines, ''].join('\r\n');
}

/** An attachment of that name. */
export function csvResponse(c: Context<ApiEnv>, name: string, text: string): Response {
  return c.body(text, 200, {
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': `attachment; filename="${name}"`,
    'cache-control': 'no-store',
  });
}
