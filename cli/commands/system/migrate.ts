import { MigrationError, migrateToLatest } from '../../../db/migrate.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { Command } from '../../command.ts';
import { print } from '../../render.ts';

/** `heliograph migrate`: brings the database to the newest schema. */
export const migrate: Command = {
  name: 'migrate',
  usage: '[--json]',
  async run(context) {
    const applied = await withDatabase(context.config(), migrateToLatest, {
      needTables: false,
    }).catch((error: unknown) => {
      if (!(error instanceof MigrationError)) throw error;
      throw new CommandError(error.message, exitCodes.configuration, { cause: error });
    });
    const lines = applied.map((name) => `applied ${name}\n`);
    print(context, { applied }, () => lines.join('') || 'the database is up to date\n');
  },
};
