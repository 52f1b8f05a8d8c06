import { loadPresets } from '../../../adapters/modbus/presets.ts';
import type { GatewayDraft } from '../../../domain/gateways/gateway.ts';
import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { addGateways, type EntryProblem } from '../../../operations/gateways/actions.ts';
import { onePositional, readInputFile } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { print, visibleText, writeJson } from '../../render.ts';
import { printWarnings } from '../plants/warnings.ts';
import { gatewayAct } from './act.ts';
import { readGatewayFile } from './gateway-file.ts';
import { csvColumns, readGatewayCsv } from './gateways-csv.ts';
import { failureOf } from './refusals.ts';

const csvBytesMax = 10_000_000;

/** A definition of the file, with its place for people: "line 3" or "gateway 2". */
interface Entry {
  place: string;
  gateway: GatewayDraft;
}

/** `heliograph gateways import FILE`: adds all gateways of a file or none. */
export const gatewaysImport: Command = {
  name: 'gateways import',
  usage: `FILE.csv|FILE.json [--dry-run] [--json]
       columns of a CSV file: ${csvColumns.join(',')}`,
  switches: ['dry-run'],
  async run(context) {
    const path = onePositional(context, 'name one file');
    const dryRun = context.switches.has('dry-run');
    const { entries, errors } = await readEntries(path);
    if (errors.length > 0 && entries.length === 0) return refuse(context, errors);
    const drafts = entries.map(({ gateway }) => gateway);
    const result = await withDatabase(context.config(), (db) =>
      // A file with errors gets a dry run, which finds those of the database too.
      addGateways(gatewayAct(db), drafts, {
        presets: loadPresets(),
        dryRun: dryRun || errors.length > 0,
      }),
    );
    const placed = ({ index, path: where, message }: EntryProblem) =>
      `${index === null ? '' : `${entries[index]?.place}: `}${where === '' ? '' : `${where} `}${message}`;
    if ('refusal' in result) {
      if (result.refusal !== 'NOT_VALID') throw failureOf(result);
      errors.push(...result.problems.map(placed));
    }
    if (errors.length > 0 || 'refusal' in result) return refuse(context, errors);
    const warnings = result.warnings.map(placed);
    const what = counted(drafts.length, 'gateway');
    print(context, { dry_run: dryRun, added: drafts.length, errors: [], warnings }, () =>
      dryRun ? `would add ${what}; nothing was written\n` : `added ${what}\n`,
    );
    printWarnings(context, warnings);
    return undefined;
  },
};

async function readEntries(path: string): Promise<{ entries: Entry[]; errors: string[] }> {
  if (/\.csv$/i.test(path)) {
    const file = readGatewayCsv((await readInputFile(path, csvBytesMax)).toString('utf8'));
    return {
      entries: file.gateways.map(({ line, gateway }) => ({ place: `line ${line}`, gateway })),
      errors: file.problems.map(({ line, message }) => `line ${line}: ${message}`),
    };
  }
  const file = await readGatewayFile(path);
  if ('problems' in file)
    return {
      entries: [],
      errors: file.problems.map((one) => `${one.path === '' ? '' : `${one.path} `}${one.message}`),
    };
  const entries = file.gateways.map((gateway, n) => ({ place: `gateway ${n + 1}`, gateway }));
  return { entries, errors: [] };
}

function refuse(context: CommandContext, errors: readonly string[]): number {
  const { io, json } = context;
  if (json)
    writeJson(io, { dry_run: context.switches.has('dry-run'), added: 0, errors, warnings: [] });
  for (const error of errors) io.stderr.write(`${visibleText(error)}\n`);
  io.stderr.write(`heliograph: ${counted(errors.length, 'error')}: nothing was added\n`);
  return exitCodes.failed;
}
