import type { Kysely } from 'kysely';

import { generatePassword, hashPassword, passwordFault } from '../../../api/auth/passwords.ts';
import { listCustomers } from '../../../db/plants/plants.ts';
import type { Database, Role } from '../../../db/tables.ts';
import { findUserByEmail, normalEmail, type UserRow } from '../../../db/people/users.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { onePositional } from '../../arguments.ts';
import { type CommandContext, usageError } from '../../command.ts';
import { readToEnd } from '../../fields-input.ts';
import { oneOf } from '../../plant-fields.ts';
import { visibleText } from '../../render.ts';

/** Shared parts of the commands about users. */

const inputCharactersMax = 4_096;

/** The single address that a command names. @throws CommandError 2 */
export function readEmail(context: CommandContext): string {
  const text = onePositional(context, 'name one e-mail address');
  const email = normalEmail(text);
  if (!/^[^@\s]+@[^@\s]+$/.test(email) || email.length > 254)
    throw usageError(context, `${visibleText(text)} is not an e-mail address`);
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

export const roleOf = oneOf<Role>(['ADMIN', 'OPERATOR', 'CUSTOMER']);

/** `--customer`; null if it is absent or empty. */
export function readCustomer({ flags }: Pick<CommandContext, 'flags'>): string | null {
  return flags['customer']?.trim() || null;
}

/** Customers that a warning names. */
const customersNamed = 20;

/** Warns of a customer without plants, who would see nothing; null without such a customer. */
export async function customerWarning(
  db: Kysely<Database>,
  customerId: string | null,
): Promise<string | null> {
  if (customerId === null) return null;
  const customers = await listCustomers(db);
  if (customers.includes(customerId)) return null;
  const rest = customers.length - customersNamed;
  const named = customers.slice(0, customersNamed).map(visibleText).join(', ');
  const known =
    customers.length === 0
      ? 'no plant has a customer yet'
      : `customers with plants are ${named}${rest > 0 ? ` and ${rest} more` : ''}`;
  return `no plant has the customer ${visibleText(customerId)}: this person sees nothing until one has; ${known}`;
}

interface NewPassword {
  passwordHash: string;
  /** A generated password, which the command must show once; null for one that the person gave. */
  generated: string | null;
  /** The line that shows a generated password; else empty. */
  line: string;
}

/**
 * The first line of standard input with `--password-stdin`, else a generated password.
 *
 * @throws CommandError 2 for an invalid password; no message contains it.
 */
export async function readNewPassword({ switches, io }: CommandContext): Promise<NewPassword> {
  if (!switches.has('password-stdin')) {
    const generated = generatePassword();
    const line = `password, shown only once, to be changed at the first sign-in: ${generated}\n`;
    return { passwordHash: await hashPassword(generated), generated, line };
  }
  if (io.stdin.isTTY === true)
    throw new CommandError(
      'a terminal would show the password: redirect a file to standard input, or omit --password-stdin to get a generated one',
      exitCodes.usage,
    );
  const text = await readToEnd(io.stdin, inputCharactersMax, 'a password');
  const [password = ''] = text.split(/\r?\n/);
  const fault = passwordFault(password);
  if (fault !== null) throw new CommandError(fault, exitCodes.usage);
  return { passwordHash: await hashPassword(password), generated: null, line: '' };
}
