import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import {
  grantStatements,
  keepRole,
  listTables,
  type ProcessName,
  processNames,
} from '../../../db/roles.ts';
import { counted } from '../../../domain/wording.ts';
import { CommandError, type Config, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals } from '../../arguments.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { print } from '../../render.ts';
import { checkPrerequisites, type Prerequisite } from '../../setup/prerequisites.ts';
import {
  folderOf,
  type PlannedFile,
  plannedFiles,
  roleUrl,
  secretPath,
} from '../../setup/systemd.ts';
import { indented, section } from '../../table.ts';
import { agree } from '../plants/selected-plants.ts';

/** `heliograph setup`: checks what an installation needs; `--systemd` writes units, settings, secrets and database roles. */
export const setup: Command = {
  name: 'setup',
  usage: '[--systemd [--dry-run] [--yes] [--root FOLDER]] [--json]',
  flags: ['root'],
  switches: ['systemd', 'dry-run', 'yes'],
  async run(context) {
    noPositionals(context, 'the command sets up this machine: name nothing');
    const config = context.config();
    const prerequisites = await checkPrerequisites(config);
    if (!context.switches.has('systemd')) {
      print(context, { prerequisites }, () => prerequisitesText(prerequisites));
      return exitOf(prerequisites);
    }
    return installUnits(context, config, prerequisites);
  },
};

/** The prefix of the roles' names. */
const rolePrefix = 'heliograph_';

const exitOf = (all: readonly Prerequisite[]): number =>
  all.every(({ state }) => state === 'ok') ? exitCodes.done : exitCodes.failed;

async function installUnits(
  context: CommandContext,
  config: Config,
  prerequisites: readonly Prerequisite[],
): Promise<number> {
  const database = prerequisites.find(({ name }) => name === 'database');
  if (database?.state !== 'ok')
    throw new CommandError(
      `${database?.message ?? 'the database is not there'}: ${database?.advice ?? ''}; roles are made in a database with tables`,
      exitCodes.failed,
    );
  const root = context.flags['root'] ?? '';
  if (context.json && !context.switches.has('dry-run') && !context.switches.has('yes'))
    throw usageError(context, '--systemd --json does not ask: add --yes or --dry-run');
  const passwords = Object.fromEntries(
    processNames.map((name) => [
      name,
      storedPassword(root, name) ?? randomBytes(24).toString('hex'),
    ]),
  ) as Record<ProcessName, string>;
  const files = plannedFiles(processNames, {
    env: context.io.env,
    root,
    secrets: secretsOf(context.io.env, config, passwords),
  });
  return withDatabase(config, async (db) => {
    const tables = await listTables(db);
    const statements = processNames.flatMap((name) => [
      `create role "${rolePrefix}${name}" login password '…';`,
      ...grantStatements(name, `${rolePrefix}${name}`, tables),
    ]);
    const plan = { prerequisites, files: files.map(shown), statements };
    if (context.switches.has('dry-run')) {
      print(context, { ...plan, written: [] }, () => planText(prerequisites, files, statements));
      return exitOf(prerequisites);
    }
    if (!context.json) context.io.stdout.write(prerequisitesText(prerequisites));
    await agree(
      context,
      `${counted(files.length, 'file')} below ${root === '' ? '/etc' : root} and ${counted(processNames.length, 'database role')} will be written; files that people may have changed are kept`,
    );
    await db.transaction().execute(async (trx) => {
      for (const process of processNames)
        await keepRole(trx, {
          process,
          role: `${rolePrefix}${process}`,
          password: passwords[process],
        });
    });
    const written = files.filter(writeFile).map(({ path }) => path);
    print(context, { ...plan, written }, () => writtenText(files, written, root));
    return exitOf(prerequisites);
  });
}

/** The secrets by the names of their files. A master key that is set is written down; else a new one. */
function secretsOf(
  env: NodeJS.ProcessEnv,
  config: Config,
  passwords: Record<ProcessName, string>,
): Record<string, string> {
  const urls = processNames.map((name): [string, string] => [
    `database_url_${name}`,
    roleUrl(config, `${rolePrefix}${name}`, passwords[name]),
  ]);
  const random = () => randomBytes(32).toString('base64');
  return {
    ...Object.fromEntries(urls),
    master_key: env['MASTER_KEY_CURRENT'] || random(),
    jwt_secret: env['JWT_SECRET'] || random(),
  };
}

/** The password of an earlier setup, so that running processes keep theirs; null: there was none. */
function storedPassword(root: string, name: ProcessName): string | null {
  const path = join(root === '' ? '/' : root, secretPath(`database_url_${name}`));
  if (!existsSync(path)) return null;
  return decodeURIComponent(new URL(readFileSync(path, 'utf8').trim()).password);
}

/** @returns whether it was written: a file that people may have changed is kept. */
function writeFile(file: PlannedFile): boolean {
  if (file.isKept && existsSync(file.path)) return false;
  mkdirSync(folderOf(file), { recursive: true, mode: file.isSecret ? 0o700 : 0o755 });
  writeFileSync(file.path, file.text, { mode: file.mode });
  return true;
}

const shown = ({ path, mode, text, isSecret, isKept }: PlannedFile) => ({
  path,
  mode: mode.toString(8).padStart(4, '0'),
  is_kept_if_there: isKept,
  text: isSecret ? null : text,
});

function prerequisitesText(all: readonly Prerequisite[]): string {
  const lines = all.map(({ name, state, message, advice }) => {
    const what = advice === null ? '' : `\n→ ${advice}`;
    return `${state === 'ok' ? 'ok     ' : 'missing'}  ${name}: ${message}${what}\n`;
  });
  return section('what an installation needs', lines.join(''));
}

function planText(
  prerequisites: readonly Prerequisite[],
  files: readonly PlannedFile[],
  statements: readonly string[],
): string {
  const texts = files.map(({ path, text, mode, isSecret }) => {
    const body = isSecret ? '(a secret)\n' : text;
    return `\n${path} (${mode.toString(8).padStart(4, '0')})\n${indented(body)}`;
  });
  const sqlText = indented(statements.map((line) => `${line}\n`).join(''));
  return `${prerequisitesText(prerequisites)}\nwould write, and has written nothing:\n${texts.join('')}\nin the database:\n${sqlText}`;
}

function writtenText(
  files: readonly PlannedFile[],
  written: readonly string[],
  root: string,
): string {
  const kept = files.filter(({ path }) => !written.includes(path)).map(({ path }) => path);
  const lines = [
    ...written.map((path) => `wrote ${path}\n`),
    ...kept.map((path) => `kept  ${path}\n`),
  ];
  const next =
    root === ''
      ? 'next: useradd --system --no-create-home heliograph; systemctl daemon-reload; systemctl enable --now heliograph-worker heliograph-gateways heliograph-api\n'
      : '';
  return `${lines.join('')}${counted(processNames.length, 'database role')} with the rights of their processes\nKeep a copy of ${secretPath('master_key')} apart from the database's backups: without it the stored credentials are lost.\n${next}`;
}
