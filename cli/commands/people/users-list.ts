import { listUsers, type UserView } from '../../../db/people/users.ts';
import { type Command, usageError } from '../../command.ts';
import { exitCodes } from '../../../environment/config.ts';
import { nothing, outputWidth, timeCell, visibleText, writeJson } from '../../render.ts';
import { connectDatabase } from '../../../environment/services.ts';
import { tableText } from '../../table.ts';

/** `heliograph users list`: lists people who may sign in. */
export const usersList: Command = {
  name: 'users list',
  usage: '[--json]',
  options: {},
  async run(context) {
    if (context.positionals.length > 0) throw usageError(usersList, 'it lists all: name none');
    const db = await connectDatabase(context.config());
    try {
      const users = await listUsers(db);
      if (context.json) writeJson(context.io, users);
      else context.io.stdout.write(usersText(users, outputWidth(context.io)));
      return exitCodes.done;
    } finally {
      await db.destroy();
    }
  },
};

function usersText(users: readonly UserView[], width: number): string {
  if (users.length === 0) return 'no users: `heliograph users add` makes one\n';
  const rows = users.map((user) => [
    visibleText(user.email),
    user.role,
    visibleText(user.customer_id ?? nothing),
    timeCell(user.last_login_at, 'UTC'),
    stateOf(user),
  ]);
  const columns = ['email', 'role', 'customer', 'last sign-in (UTC)', 'state'];
  return tableText(
    columns.map((title) => ({ title })),
    rows,
    width,
  );
}

function stateOf(user: UserView): string {
  if (user.disabled_at !== null) return `removed ${timeCell(user.disabled_at, 'UTC')}`;
  return user.must_change_password ? 'must change the password' : 'may sign in';
}
