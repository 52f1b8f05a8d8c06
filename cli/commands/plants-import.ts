import { open } from 'node:fs/promises';

import { AddedMeanwhile, type Added, addPlants, credentialsHint } from '../add-plants.ts';
import { type Command, type CommandIo, usageError } from '../command.ts';
import { CommandError, exitCodes } from '../config.ts';
import { type DraftLine, fileBytesMax, type LineProblem, readPlantFile } from '../plant-file.ts';
import { counted, visibleText, writeJson } from '../render.ts';
import { connectDatabase } from '../services.ts';
import { startLoopsNow, temporalAwayNote } from '../tell-loops.ts';
import { plantFieldNames } from '../plant-fields.ts';

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
    if (file.problems.length > 0 && file.drafts.length === 0)
      return refuse(context.io, context.json, isDryRun, file.problems);
    const db = await connectDatabase(config);
    let result;
    try {
      // Also of a file with problems: the person learns of all of them at once.
      result = await addPlants(
        db,
        file.drafts.map(({ draft }) => draft),
        {
          intervalS: config.POLL_INTERVAL_SECONDS,
          dryRun: isDryRun || file.problems.length > 0,
        },
      );
    } catch (error) {
      if (error instanceof AddedMeanwhile)
        throw new CommandError(`${error.message}: nothing was added`, exitCodes.failed, {
          cause: error,
        });
      throw error;
    } finally {
      await db.destroy();
    }
    const problems = [
      ...file.problems,
      ...result.problems.map(({ index, ...problem }) => ({
        line: lineOf(file.drafts, index),
        ...problem,
      })),
    ];
    if (result.added === null || problems.length > 0)
      return refuse(context.io, context.json, isDryRun, problems);
    tellAdded(context.io, context.json, isDryRun, result.added);
    if (!isDryRun && !(await startLoopsNow(config))) context.io.stderr.write(temporalAwayNote);
    return exitCodes.done;
  },
};

/** At most one byte more than is read of a file, so that a larger one is told from one that fits. */
async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(fileBytesMax + 1),
        0,
        fileBytesMax + 1,
        0,
      );
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    throw new CommandError(
      `${visibleText(path)} cannot be read (${typeof code === 'string' ? code : 'unknown error'})`,
      exitCodes.failed,
      { cause },
    );
  }
}

function lineOf(drafts: readonly DraftLine[], index: number): number {
  return drafts[index]?.line ?? 0;
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
