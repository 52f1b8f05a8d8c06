import { createReadStream } from 'node:fs';

import type { Added } from '../../../db/plants/add-plants.ts';
import { addNewPlants } from '../../../operations/plants/actions.ts';
import { credentialsHint } from './plants-add.ts';
import { orFail } from './refusals.ts';
import { terminalAct } from './selected-plants.ts';
import { type Command, type CommandIo, usageError } from '../../command.ts';
import { CommandError, type Config, exitCodes } from '../../../environment/config.ts';
import { fileBytesMax, type LineProblem, type PlantFile, readPlantFile } from './plant-file.ts';
import { visibleText, writeJson } from '../../render.ts';
import { counted } from '../../../domain/wording.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { startLoopsNow, temporalAwayNote } from './tell-loops.ts';
import { plantFieldNames } from '../../plant-fields.ts';

/** More lines of complaint than this are one complaint: the file is another one. */
const problemsShown = 50;

/** `heliograph plants import FILE.csv`: a fleet at once, all of it or nothing. */
export const plantsImport: Command = {
  name: 'plants import',
  usage: `FILE.csv [--dry-run] [--json]
       columns: ${plantFieldNames.slice(0, 6).join(',')}
       and, where wanted: ${plantFieldNames.slice(6).join(',')}`,
  options: { 'dry-run': { type: 'boolean' } },
  async run(context) {
    const [path, ...more] = context.positionals;
    if (path === undefined || more.length > 0) throw usageError(plantsImport, 'name one file');
    const isDryRun = context.values['dry-run'] === true;
    const config = context.config();
    const file = readPlantFile(await readBytes(path));
    const { added, problems } = await addFile(config, file, isDryRun);
    if (added === null) return refuse(context.io, context.json, isDryRun, problems);
    tellAdded(context.io, context.json, isDryRun, added);
    if (!isDryRun && !(await startLoopsNow(config))) context.io.stderr.write(temporalAwayNote);
    return exitCodes.done;
  },
};

/** Adds the plants of a file without a problem. One with problems is tried all the same, so that all of them are told at once. */
async function addFile(
  config: Config,
  file: PlantFile,
  isDryRun: boolean,
): Promise<{ added: Added | null; problems: LineProblem[] }> {
  if (file.drafts.length === 0) return { added: null, problems: file.problems };
  const db = await connectDatabase(config);
  try {
    const drafts = file.drafts.map(({ draft }) => draft);
    const dryRun = isDryRun || file.problems.length > 0;
    const result = await addNewPlants(terminalAct(db), drafts, {
      intervalS: config.POLL_INTERVAL_SECONDS,
      statusProfile: config.DEFAULT_STATUS_PROFILE,
      dryRun,
    });
    const found = 'refusal' in result && result.refusal === 'NOT_ADDED' ? result.problems : [];
    const problems = [
      ...file.problems,
      ...found.map(({ index, ...problem }) => ({
        line: file.drafts[index]?.line ?? 0,
        ...problem,
      })),
    ];
    return { added: problems.length === 0 ? orFail(plantsImport, result) : null, problems };
  } finally {
    await db.destroy();
  }
}

/** At most one byte more than is read of a file, so that a larger one is told from one that fits. */
async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(path, { end: fileBytesMax }))
      chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    throw new CommandError(
      `${visibleText(path)} cannot be read (${typeof code === 'string' ? code : 'unknown error'})`,
      exitCodes.failed,
      { cause },
    );
  }
}

function refuse(
  io: CommandIo,
  json: boolean,
  isDryRun: boolean,
  problems: readonly LineProblem[],
): number {
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  if (json)
    writeJson(io, {
      dry_run: isDryRun,
      added: 0,
      errors: sorted.map(({ line, field, problem }) => ({ line, column: field, error: problem })),
    });
  for (const { line, field, problem } of sorted.slice(0, problemsShown)) {
    io.stderr.write(`line ${line}: ${field === null ? '' : `${field} `}${problem}\n`);
  }
  if (sorted.length > problemsShown) io.stderr.write(`and ${sorted.length - problemsShown} more\n`);
  io.stderr.write(`heliograph: ${counted(sorted.length, 'error')}: nothing was added\n`);
  return exitCodes.failed;
}

function tellAdded(io: CommandIo, json: boolean, isDryRun: boolean, added: Added): void {
  const active = added.plants.filter((plant) => plant.integration_status === 'ACTIVE').length;
  const counts = { added: added.plants.length, active, pending_docs: added.plants.length - active };
  if (json)
    writeJson(io, { dry_run: isDryRun, ...counts, new_accounts: added.newAccounts, errors: [] });
  else {
    const what = `${counted(counts.added, 'plant')}: ${active} ACTIVE, ${counts.pending_docs} PENDING_DOCS`;
    io.stdout.write(isDryRun ? `would add ${what}; nothing was written\n` : `added ${what}\n`);
  }
  io.stderr.write(credentialsHint(added.newAccounts));
}
