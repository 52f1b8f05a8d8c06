import { CsvError, parse } from 'csv-parse/sync';

import type { PlantDraft, PlantField } from '../../../domain/plants/plant-draft.ts';
import { plantFieldNames, readPlantDraft, requiredFields } from '../../plant-fields.ts';
import { visibleText } from '../../render.ts';

/** Reads a file of plants: CSV with a header row, as spreadsheets write it. */

/** Ten times the largest fleet that one import is for. */
export const fileBytesMax = 10 * 1024 * 1024;
export const recordsMax = 10_000;
/** Ends a record that a quote without its end would stretch over the whole file. */
const recordCharactersMax = 8_192;

/** What is wrong, and in which line of the file; the header is line 1. */
export interface LineProblem {
  line: number;
  /** The column; null if the line as a whole is wrong. */
  field: PlantField | null;
  problem: string;
}

interface DraftLine {
  line: number;
  draft: PlantDraft;
}

/** Every problem of a file, and the drafts of the lines without a problem. */
export interface PlantFile {
  drafts: DraftLine[];
  problems: LineProblem[];
}

interface CsvRecord {
  record: string[];
  info: { lines: number };
}

/**
 * Reads a file of plants: UTF-8, with or without a byte order mark, commas, semicolons or tabs, any line ends. With
 * semicolons a number may have a decimal comma.
 */
export function readPlantFile(bytes: Uint8Array): PlantFile {
  const failed = (line: number, problem: string) => ({
    drafts: [],
    problems: [{ line, field: null, problem }],
  });
  if (bytes.length > fileBytesMax)
    return failed(1, `the file is larger than ${fileBytesMax / 1024 / 1024} MB`);
  let text: string;
  try {
    // One kind of line end, so that line numbers are right even if quoted values contain line ends.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll(/\r\n?/g, '\n');
  } catch {
    return failed(1, 'the file is not UTF-8: save it as "CSV UTF-8"');
  }
  const delimiter = delimiterOf(text);
  let records: CsvRecord[];
  try {
    records = parseCsv(text, delimiter);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return failed(Number(error['lines'] ?? 1), csvSentence(error));
  }
  const [header, ...rows] = records;
  if (header === undefined) return failed(1, 'the file is empty');
  if (rows.length > recordsMax)
    return failed(1, `the file has more than ${recordsMax} plants: split it`);
  const { fields, problems } = readHeader(header);
  if (problems.length > 0) return { drafts: [], problems };
  if (rows.length === 0) return failed(header.info.lines, 'there is no plant below the header');
  return readRows(rows, fields, delimiter === ';');
}

/** The delimiter that the header contains most often. */
function delimiterOf(text: string): string {
  const header = text.slice(0, text.search(/\n|$/));
  const count = (delimiter: string) => header.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, delimiter) =>
    count(delimiter) > count(best) ? delimiter : best,
  );
}

function parseCsv(text: string, delimiter: string): CsvRecord[] {
  return parse(text, {
    delimiter,
    bom: true,
    info: true,
    trim: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    relax_column_count: true,
    max_record_size: recordCharactersMax,
    // The header, and one record too many: enough to report that there are too many.
    to: recordsMax + 2,
  }) as unknown as CsvRecord[];
}

function csvSentence(error: CsvError): string {
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return 'a quote is opened and never closed';
    case 'CSV_MAX_RECORD_SIZE':
      return `a line is longer than ${recordCharactersMax} characters, or a quote is never closed`;
    case 'CSV_INVALID_CLOSING_QUOTE':
    case 'CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE':
      return 'text follows a closing quote: write "" for a quote within a value';
    default:
      return `the line is not CSV (${error.code})`;
  }
}

/** Maps columns by a list of known names, so that no text of the file becomes a property name. */
function readHeader({ record, info }: CsvRecord): {
  fields: PlantField[];
  problems: LineProblem[];
} {
  const fields: PlantField[] = [];
  const problems: LineProblem[] = [];
  const add = (problem: string) => problems.push({ line: info.lines, field: null, problem });
  for (const title of record) {
    const field = plantFieldNames.find((name) => name === title.toLowerCase());
    if (field === undefined)
      add(`there is no column ${visibleText(title)}; columns are ${plantFieldNames.join(', ')}`);
    else if (fields.includes(field)) add(`the column ${field} is there twice`);
    else fields.push(field);
  }
  const missing = requiredFields.filter((field) => !fields.includes(field));
  if (missing.length > 0) add(`columns are missing: ${missing.join(', ')}`);
  return { fields, problems };
}

function readRows(
  rows: readonly CsvRecord[],
  fields: readonly PlantField[],
  hasDecimalCommas: boolean,
): PlantFile {
  const drafts: DraftLine[] = [];
  const problems: LineProblem[] = [];
  for (const { record, info } of rows) {
    const line = firstLine(record, info.lines);
    if (record.length !== fields.length) {
      problems.push({
        line,
        field: null,
        problem: `has ${record.length} values, and the header names ${fields.length}`,
      });
      continue;
    }
    const texts: Partial<Record<PlantField, string>> = {};
    for (const [index, field] of fields.entries())
      texts[field] = numberText(field, record[index] ?? '', hasDecimalCommas);
    const read = readPlantDraft(texts);
    if (read.draft === null)
      problems.push(...read.problems.map((problem) => ({ line, ...problem })));
    else drafts.push({ line, draft: read.draft });
  }
  return { drafts, problems };
}

/** The first line of a record that ends at `lastLine`: quoted values may contain line breaks. */
function firstLine(record: readonly string[], lastLine: number): number {
  return lastLine - record.reduce((breaks, value) => breaks + (value.split('\n').length - 1), 0);
}

const decimalFields: readonly PlantField[] = ['latitude', 'longitude', 'capacity_kw'];

function numberText(field: PlantField, text: string, hasDecimalCommas: boolean): string {
  return hasDecimalCommas && decimalFields.includes(field)
    ? text.replace(/^([+-]?\d+),(\d+)$/, '$1.$2')
    : text;
}
