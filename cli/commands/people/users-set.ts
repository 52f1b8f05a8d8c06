import { changeUser } from '../../../db/people/users.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { withDatabase } from '../../../environment/services.ts';
import { readFlag } from '../../arguments.ts';
import { type Command, usageError } from '../../command.ts';
import { terminalDecider } from '../../decider.ts';
import { print } from '../../render.ts';
import { customerWarning, readCustomer, readEmail, requireUser, roleOf } from './users.ts';

/** `heliograph users set EMAIL`: changes a person's role, or the customer whose plants the person sees. */
export const usersSet: Command = {
  name: 'users set',
  usage: 'EMAIL [--role ADMIN|OPERATOR|CUSTOMER] [--customer C] [--json]',
  flags: ['role', 'customer'],
  async run(context) {
    const email = readEmail(context);
    const newRole = readFlag(context, 'role', roleOf);
    const customer = readCustomer(context);
    if (newRole === undefined && customer === null)
      throw usageError(context, 'there is nothing to set');
    const { role, customerId, warning } = await withDatabase(context.config(), async (db) => {
      const user = await requireUser(db, email);
      const becomes = newRole ?? user.role;
      if (becomes !== 'CUSTOMER' && customer !== null)
        throw usageError(context, `only a CUSTOMER has a --customer, and ${email} is ${becomes}`);
      const of = becomes === 'CUSTOMER' ? (customer ?? user.customer_id) : null;
      if (becomes === 'CUSTOMER' && of === null)
        throw usageError(context, '--customer names the customer whose plants a CUSTOMER sees');
      const change = { role: becomes, customerId: of };
      const decision = { by: terminalDecider(), at: new Date() };
      const isThere = await db
        .transaction()
        .execute((trx) => changeUser(trx, user.id, change, decision));
      if (!isThere) throw new CommandError(`there is no user ${email}`, exitCodes.failed);
      return { ...change, warning: await customerWarning(db, of) };
    });
    print(
      context,
      { email, role, customer_id: customerId, warnings: warning === null ? [] : [warning] },
      () => `${email} is ${role}${customerId === null ? '' : ` of customer ${customerId}`}\n`,
    );
    if (warning !== null && !context.json) context.io.stderr.write(`warning: ${warning}\n`);
  },
};
