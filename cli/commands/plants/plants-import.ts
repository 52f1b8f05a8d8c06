import type { Added } from '../../../db/plants/add-plants.ts';
import type { PlantField } from '../../../domain/plants/plant-draft.ts';
import { counted } from '../../../domain/wording.ts';
import { type Config, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { addNewPlants } from '../../../operations/plants/actions.ts';
import { draftWarnings } from '../../../operations/plants/plant-view.ts';
import { onePositional, readInputFile } from '../../arguments.ts';
import type { Command, CommandContext } from '../../command.ts';
import { plantFieldNames } from '../../plant-fields.ts';
import { print, writeJson } from '../../render.ts';
import { fileBytesMax, type LineProblem, type PlantFile, readPlantFile } from './plant-file.ts';
import { credentialsHint } from './plants-add.ts';
import { orFail } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { startLoopsNow, temporalAwayNote } from './tell-loops.ts';
import { printWarnings } from './warnings.ts';

/** Number of problems that are shown; a file with more is probably not a file of plants. */
const problemsShown = 50;

/** `heliograph plants import FILE.csv`: adds all plants of a file or none. */
export const plantsImport: Command = {
  name: 'plants import',
  usage: `FILE.csv [--dry-run] [--json]
       columns: ${plantFieldNames.slice(0, 6).join(',')}
       optional: ${plantFieldNames.slice(6).join(',')}`,
  switches: ['dry-run'],
  async run(context) {
    const path = onePositional(context, 'name one file');
    const config = context.config();
    // One byte more than the limit, so that a larger file is noticed.
    const file = readPlantFile(await readInputFile(path, fileBytesMax + 1));
    const { added, problems } = await addFile(context, config, file);
    const warnings = fileWarnings(file, config);
    if (added === null) return refuse(context, problems, warnings);
    tellAdded(context, added, warnings);
    if (!isDryRun(context) && !(await startLoopsNow(config)))
      context.io.stderr.write(temporalAwayNote);
  },
};

interface LineWarning {
  line: number;
  column: PlantField;
  warning: string;
}

/** What looks wrong in the lines that can be read. */
function fileWarnings({ drafts: lines }: PlantFile, config: Config): LineWarning[] {
  const drafts = lines.map(({ draft }) => draft);
  return draftWarnings(drafts, config.POLL_INTERVAL_SECONDS).map(({ index, field, warning }) => ({
    line: lines[index]?.line ?? 0,
    column: field,
    warning,
  }));
}

function tellWarnings(context: CommandContext, warnings: readonly LineWarning[]): void {
  const lines = warnings.map(({ line, column, warning }) => `line ${line}: ${column} ${warning}`);
  printWarnings(context, lines);
}

function isDryRun({ switches }: CommandContext): boolean {
  return switches.has('dry-run');
}

/** Adds the plants of a file without problems. A file with problems gets a dry run, which finds those of the database too. */
async function addFile(
  context: CommandContext,
  config: Config,
  { drafts: lines, problems: read }: PlantFile,
): Promise<{ added: Added | null; problems: LineProblem[] }> {
  if (lines.length === 0) return { added: null, problems: read };
  const drafts = lines.map(({ draft }) => draft);
  const options = {
    intervalS: config.POLL_INTERVAL_SECONDS,
    statusProfile: config.DEFAULT_STATUS_PROFILE,
    dryRun: isDryRun(context) || read.length > 0,
  };
  const result = await withDatabase(config, (db) => addNewPlants(terminalAct(db), drafts, options));
  const found = 'refusal' in result && result.refusal === 'NOT_ADDED' ? result.problems : [];
  const problems = [
    ...read,
    ...found.map(({ index, ...problem }) => ({ line: lines[index]?.line ?? 0, ...problem })),
  ];
  return { added: problems.length === 0 ? orFail(context, result) : null, problems };
}

function refuse(
  context: CommandContext,
  problems: readonly LineProblem[],
  warnings: readonly LineWarning[],
): number {
  const { io, json } = context;
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  const errors = sorted.map(({ line, field, problem }) => ({
    line,
    column: field,
    error: problem,
  }));
  if (json) writeJson(io, { dry_run: isDryRun(context), added: 0, errors, warnings });
  for (const { line, field, problem } of sorted.slice(0, problemsShown)) {
    io.stderr.write(`line ${line}: ${field === null ? '' : `${field} `}${problem}\n`);
  }
  if (sorted.length > problemsShown) io.stderr.write(`and ${sorted.length - problemsShown} more\n`);
  tellWarnings(context, warnings);
  io.stderr.write(`heliograph: ${counted(sorted.length, 'error')}: nothing was added\n`);
  return exitCodes.failed;
}

function tellAdded(
  context: CommandContext,
  { plants, newAccounts }: Added,
  warnings: readonly LineWarning[],
): void {
  const active = plants.filter((plant) => plant.integration_status === 'ACTIVE').length;
  const pending = plants.length - active;
  const dryRun = isDryRun(context);
  const what = `${counted(plants.length, 'plant')}: ${active} ACTIVE, ${pending} PENDING_DOCS`;
  print(
    context,
    {
      dry_run: dryRun,
      added: plants.length,
      active,
      pending_docs: pending,
      new_accounts: newAccounts,
      errors: [],
      warnings,
    },
    () => (dryRun ? `would add ${what}; nothing was written\n` : `added ${what}\n`),
  );
  tellWarnings(context, warnings);
  context.io.stderr.write(credentialsHint(newAccounts));
}
