import { disableUser } from '../../../db/people/users.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { Command } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import { readEmail, requireUser } from './users.ts';

/** `heliograph users remove EMAIL`: ends a person's access at once; the audit log keeps the name. */
export const usersRemove: Command = {
  name: 'users remove',
  usage: 'EMAIL [--json]',
  async run(context) {
    const email = readEmail(context);
    const isRemoved = await withDatabase(context.config(), async (db) => {
      const { id } = await requireUser(db, email);
      return db.transaction().execute((trx) => disableUser(trx, id, terminalDecider(), new Date()));
    });
    if (!isRemoved) throw new CommandError(`${email} is already removed`, exitCodes.failed);
    print(
      context,
      { email, removed: true },
      () => `${email} can no longer sign in; every session and token ended\n`,
    );
  },
};
