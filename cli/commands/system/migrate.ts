import { MigrationError, migrateToLatest } from '../../../db/migrate.ts';
import type { Command } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { connectDatabase } from '../../../environment/services.ts';

/** `heliograph migrate`: brings the database to the newest schema. */
export const migrate: Command = {
  name: 'migrate',
  usage: '[--json]',
  options: {},
  async run({ config, json, io }) {
    const db = await connectDatabase(config(), { needTables: false });
    try {
      const applied = await migrateToLatest(db);
      if (json) io.stdout.write(`${JSON.stringify({ applied })}\n`);
      else
        io.stdout.write(
          applied.length === 0
            ? 'the database is up to date\n'
            : applied.map((name) => `applied ${name}\n`).join(''),
        );
      return exitCodes.done;
    } catch (error) {
      if (error instanceof MigrationError)
        throw new CommandError(error.message, exitCodes.configuration, { cause: error });
      throw error;
    } finally {
      await db.destroy();
    }
  },
};
