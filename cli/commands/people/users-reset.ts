import { hashPassword } from '../../../api/auth/passwords.ts';
import { replacePassword } from '../../../db/people/users.ts';
import type { Command } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { writeJson } from '../../render.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { passwordLine, passwordOptions, readEmail, readNewPassword, requireUser } from './users.ts';

/** `heliograph users reset EMAIL`: sets a new password and ends every session; a removed person may sign in again. */
export const usersReset: Command = {
  name: 'users reset',
  usage: 'EMAIL [--password-stdin] [--json]',
  options: passwordOptions,
  async run(context) {
    const email = readEmail(context, usersReset);
    const config = context.config();
    const given = await readNewPassword(context);
    const passwordHash = await hashPassword(given.password);
    const db = await connectDatabase(config);
    try {
      const { id } = await requireUser(db, email);
      const change = { passwordHash, mustChangePassword: true, enable: true };
      await db
        .transaction()
        .execute((trx) =>
          replacePassword(trx, id, change, { by: terminalDecider(), at: new Date() }),
        );
    } finally {
      await db.destroy();
    }
    if (context.json)
      writeJson(context.io, { email, password: given.isGenerated ? given.password : null });
    else
      context.io.stdout.write(
        `${email} has a new password; every session and token ended\n${passwordLine(given)}`,
      );
    return exitCodes.done;
  },
};
