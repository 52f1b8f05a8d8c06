import { disableUser } from '../../../db/people/users.ts';
import type { Command } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { writeJson } from '../../render.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { readEmail, requireUser } from './users.ts';

/** `heliograph users remove EMAIL`: ends a person's access at once; the audit log keeps the name. */
export const usersRemove: Command = {
  name: 'users remove',
  usage: 'EMAIL [--json]',
  options: {},
  async run(context) {
    const email = readEmail(context, usersRemove);
    const db = await connectDatabase(context.config());
    try {
      const { id } = await requireUser(db, email);
      const isRemoved = await db
        .transaction()
        .execute((trx) => disableUser(trx, id, terminalDecider(), new Date()));
      if (!isRemoved) throw new CommandError(`${email} is already removed`, exitCodes.failed);
    } finally {
      await db.destroy();
    }
    if (context.json) writeJson(context.io, { email, removed: true });
    else context.io.stdout.write(`${email} can no longer sign in; every session and token ended\n`);
    return exitCodes.done;
  },
};
