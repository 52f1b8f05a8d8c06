import type { Kysely } from 'kysely';

import { generatePassword, passwordFault } from '../../../api/auth/passwords.ts';
import type { Database } from '../../../db/tables.ts';
import { findUserByEmail, normalEmail, type UserRow } from '../../../db/people/users.ts';
import { type Command, type CommandContext, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { readToEnd } from '../plants/credential-input.ts';
import { visibleText } from '../../render.ts';

/** Shared parts of the commands about users. */

/** Options of `users add` and `users reset`. */
export const passwordOptions = { 'password-stdin': { type: 'boolean' } } as const;

const inputCharactersMax = 4_096;

/** The single address that a command names. @throws CommandError 2 */
export function readEmail(context: CommandContext, command: Command): string {
  const [text, ...more] = context.positionals;
  if (text === undefined || more.length > 0) throw usageError(command, 'name one e-mail address');
  const email = normalEmail(text);
  if (!/^[^@\s]+@[^@\s]+$/.test(email) || email.length > 254)
    throw usageError(command, `${visibleText(text)} is not an e-mail address`);
  return email;
}

/** @throws CommandError 1 */
export async function requireUser(db: Kysely<Database>, email: string): Promise<UserRow> {
  const user = await findUserByEmail(db, email);
  if (user === undefined)
    throw new CommandError(
      `there is no user ${visibleText(email)}: \`heliograph users add\` creates one`,
      exitCodes.failed,
    );
  return user;
}

/**
 * The first line of standard input with `--password-stdin`, else a generated password, which the caller must show once.
 *
 * @throws CommandError 2 for an invalid password; no message contains it.
 */
export async function readNewPassword(
  context: CommandContext,
): Promise<{ password: string; isGenerated: boolean }> {
  if (context.values['password-stdin'] !== true)
    return { password: generatePassword(), isGenerated: true };
  const { stdin } = context.io;
  if (stdin.isTTY === true)
    throw new CommandError(
      'a terminal would show the password: redirect a file to standard input, or omit --password-stdin to get a generated one',
      exitCodes.usage,
    );
  const text = await readToEnd(stdin, inputCharactersMax, 'a password');
  const [password = ''] = text.split(/\r?\n/);
  const fault = passwordFault(password);
  if (fault !== null) throw new CommandError(fault, exitCodes.usage);
  return { password, isGenerated: false };
}

/** The line that shows a generated password; empty for one that the person gave. */
export function passwordLine(given: { password: string; isGenerated: boolean }): string {
  return given.isGenerated
    ? `password, shown only once, to be changed at the first sign-in: ${given.password}\n`
    : '';
}
