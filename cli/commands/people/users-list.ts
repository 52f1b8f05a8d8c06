import { listUsers, type UserView } from '../../../db/people/users.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals, readZone } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { nothing, outputWidth, print, timeCell } from '../../render.ts';
import { tableText } from '../../table.ts';

/** `heliograph users list`: lists people who may sign in. */
export const usersList: Command = {
  name: 'users list',
  usage: '[--json]',
  async run(context) {
    noPositionals(context, 'the command lists all users: name none');
    const users = await withDatabase(context.config(), listUsers);
    print(context, users, () =>
      usersText(users, readZone(context) ?? 'UTC', outputWidth(context.io)),
    );
  },
};

function usersText(users: readonly UserView[], zone: string, width: number): string {
  if (users.length === 0) return 'no users: `heliograph users add` makes one\n';
  const rows = users.map((user) => [
    user.email,
    user.role,
    user.customer_id ?? nothing,
    timeCell(user.last_login_at, zone),
    stateOf(user, zone),
  ]);
  return tableText(['email', 'role', 'customer', 'last sign-in', 'state'], rows, width);
}

function stateOf(user: UserView, zone: string): string {
  if (user.disabled_at !== null) return `removed ${timeCell(user.disabled_at, zone)}`;
  return user.must_change_password ? 'must change the password' : 'may sign in';
}
