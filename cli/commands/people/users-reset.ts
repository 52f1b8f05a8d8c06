import { replacePassword } from '../../../db/people/users.ts';
import { withDatabase } from '../../../environment/services.ts';
import type { Command } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import { readEmail, readNewPassword, requireUser } from './users.ts';

/** `heliograph users reset EMAIL`: sets a new password and ends every session; a removed person may sign in again. */
export const usersReset: Command = {
  name: 'users reset',
  usage: 'EMAIL [--password-stdin] [--json]',
  switches: ['password-stdin'],
  async run(context) {
    const email = readEmail(context);
    const config = context.config();
    const { passwordHash, generated, line } = await readNewPassword(context);
    await withDatabase(config, async (db) => {
      const { id } = await requireUser(db, email);
      const change = { passwordHash, mustChangePassword: true, enable: true };
      await db
        .transaction()
        .execute((trx) =>
          replacePassword(trx, id, change, { by: terminalDecider(), at: new Date() }),
        );
    });
    print(
      context,
      { email, password: generated },
      () => `${email} has a new password; every session and token ended\n${line}`,
    );
  },
};
