import { CsvError, parse } from 'csv-parse/sync';

import { parseGateway } from '../../../domain/gateways/definition.ts';
import type { GatewayDraft } from '../../../domain/gateways/gateway.ts';

/** Reads gateways from CSV with a header: one line for each unit. Points beside those of presets need FILE.json. */

export const csvColumns = [
  'id',
  'host',
  'unit_id',
  'preset',
  'name',
  'port',
  'plant_id',
  'customer_id',
  'poll_interval_s',
  'priority',
  'capacity_kw',
] as const;
const unitColumns: ReadonlySet<string> = new Set(['unit_id', 'preset', 'capacity_kw']);
const numberColumns: ReadonlySet<string> = new Set([
  'unit_id',
  'port',
  'poll_interval_s',
  'capacity_kw',
]);

export interface CsvProblem {
  /** Of the file; the header is line 1. */
  line: number;
  message: string;
}

/** Gateways with the line of each, or all problems. */
export interface GatewayCsv {
  gateways: { line: number; gateway: GatewayDraft }[];
  problems: CsvProblem[];
}

interface CsvRecord {
  record: Record<string, string>;
  info: { lines: number };
}

/** Lines of one id are units of one gateway, whose other columns are those of its first line. */
export function readGatewayCsv(text: string): GatewayCsv {
  const failed = (line: number, message: string): GatewayCsv => ({
    gateways: [],
    problems: [{ line, message }],
  });
  let records: CsvRecord[];
  try {
    records = parse(text.replaceAll(/\r\n?/g, '\n'), {
      bom: true,
      columns: true,
      info: true,
      trim: true,
      skip_empty_lines: true,
      delimiter: [',', ';', '\t'],
    }) as unknown as CsvRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return failed(Number(error['lines'] ?? 1), `the line is not CSV (${error.code})`);
  }
  const [first] = records;
  if (first === undefined) return failed(1, 'there is no gateway below the header');
  const known: readonly string[] = csvColumns;
  const wrong = Object.keys(first.record).find((column) => !known.includes(column));
  if (wrong !== undefined)
    return failed(1, `the column ${wrong} is unknown: the columns are ${csvColumns.join(', ')}`);
  const file: GatewayCsv = { gateways: [], problems: [] };
  for (const lines of Map.groupBy(records, ({ record }) => record['id'] ?? '').values())
    addGateway(file, lines);
  return file;
}

function addGateway(file: GatewayCsv, records: readonly CsvRecord[]): void {
  const [first] = records;
  if (first === undefined) return;
  const { name, ...own } = fieldsOf(first.record, (column) => !unitColumns.has(column));
  const units = records.map(({ record }) => fieldsOf(record, (column) => unitColumns.has(column)));
  const parsed = parseGateway({ ...own, name: name ?? own['id'], units });
  if (!('problems' in parsed)) {
    file.gateways.push({ line: first.info.lines, gateway: parsed.gateway });
    return;
  }
  for (const { path, message } of parsed.problems) {
    const [, unit, column] = /^units\[(\d+)\]\.?(.*)$/.exec(path) ?? [];
    const record = unit === undefined ? first : (records[Number(unit)] ?? first);
    file.problems.push({ line: record.info.lines, message: `${column ?? path} ${message}`.trim() });
  }
}

/** The columns with a value; numbers as numbers. */
function fieldsOf(
  record: Readonly<Record<string, string>>,
  belongs: (column: string) => boolean,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([column, text]) => belongs(column) && text !== '')
      .map(([column, text]) => [
        column,
        numberColumns.has(column) && Number.isFinite(Number(text)) ? Number(text) : text,
      ]),
  );
}
