import { hashPassword } from '../../../api/auth/passwords.ts';
import type { Role } from '../../../db/tables.ts';
import { insertUser } from '../../../db/people/users.ts';
import { type Command, textFlag, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { terminalDecider } from '../../decider.ts';
import { oneOf } from '../../plant-fields.ts';
import { writeJson } from '../../render.ts';
import { readFlag } from '../../selection.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { passwordLine, passwordOptions, readEmail, readNewPassword } from './users.ts';

const roles = ['ADMIN', 'OPERATOR', 'CUSTOMER'] as const satisfies readonly Role[];

/** `heliograph users add EMAIL`: adds a person who may sign in; the password must be changed at the first sign-in. */
export const usersAdd: Command = {
  name: 'users add',
  usage: `EMAIL --role ADMIN|OPERATOR|CUSTOMER [--customer C] [--password-stdin] [--json]`,
  options: { role: { type: 'string' }, customer: { type: 'string' }, ...passwordOptions },
  async run(context) {
    const email = readEmail(context, usersAdd);
    const role = readFlag(context, usersAdd, 'role', oneOf(roles));
    if (role === undefined) throw usageError(usersAdd, 'say the --role');
    const customerId = textFlag(context, 'customer')?.trim() || null;
    if ((role === 'CUSTOMER') !== (customerId !== null))
      throw usageError(
        usersAdd,
        '--customer names the customer whose plants a CUSTOMER sees; only the role CUSTOMER needs it',
      );
    const config = context.config();
    const given = await readNewPassword(context);
    const passwordHash = await hashPassword(given.password);
    const db = await connectDatabase(config);
    try {
      const user = { email, passwordHash, role, customerId, mustChangePassword: true };
      const id = await db
        .transaction()
        .execute((trx) => insertUser(trx, user, terminalDecider(), new Date()));
      if (id === null)
        throw new CommandError(
          `${email} is already a user: \`heliograph users reset\` gives a new password`,
          exitCodes.failed,
        );
    } finally {
      await db.destroy();
    }
    if (context.json) {
      const password = given.isGenerated ? given.password : null;
      writeJson(context.io, { email, role, customer_id: customerId, password });
    } else context.io.stdout.write(`${email} added as ${role}\n${passwordLine(given)}`);
    return exitCodes.done;
  },
};
