import { insertUser } from '../../../db/people/users.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { requireFlag } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import { customerWarning, readCustomer, readEmail, readNewPassword, roleOf } from './users.ts';

/** `heliograph users add EMAIL`: adds a person who may sign in; the password must be changed at the first sign-in. */
export const usersAdd: Command = {
  name: 'users add',
  usage: `EMAIL --role ADMIN|OPERATOR|CUSTOMER [--customer C] [--password-stdin] [--json]`,
  flags: ['role', 'customer'],
  switches: ['password-stdin'],
  async run(context) {
    const email = readEmail(context);
    const role = requireFlag(context, 'role', roleOf);
    const customerId = readCustomer(context);
    if ((role === 'CUSTOMER') !== (customerId !== null))
      throw usageError(
        context,
        '--customer names the customer whose plants a CUSTOMER sees; only the role CUSTOMER needs it',
      );
    const config = context.config();
    const { passwordHash, generated, line } = await readNewPassword(context);
    const user = { email, passwordHash, role, customerId, mustChangePassword: true };
    const { id, warning } = await withDatabase(config, async (db) => ({
      id: await db
        .transaction()
        .execute((trx) => insertUser(trx, user, terminalDecider(), new Date())),
      warning: await customerWarning(db, customerId),
    }));
    if (id === null)
      throw new CommandError(
        `${email} is already a user: \`heliograph users reset\` gives a new password`,
        exitCodes.failed,
      );
    print(
      context,
      {
        email,
        role,
        customer_id: customerId,
        password: generated,
        warnings: warning === null ? [] : [warning],
      },
      () => `${email} added as ${role}\n${line}`,
    );
    if (warning !== null && !context.json) context.io.stderr.write(`warning: ${warning}\n`);
  },
};
