import {
  type CredentialForm,
  describeForm,
  readCredentials,
} from '../../../domain/plants/credential-form.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { isFieldName, readFields } from '../../fields-input.ts';

/** The credentials of an account, as the fields of standard input. */

/**
 * Reads lines of `field=value` (the value is everything after the first `=`) or a JSON object of texts.
 *
 * @returns What is stored: choices that were not made have their usual value.
 * @throws CommandError 2 naming fields.
 */
export function parseCredentials(text: string, form: CredentialForm): Record<string, string> {
  const given = readFields(text);
  const read = readCredentials(form, Object.fromEntries(given));
  if (read.ok) return read.credentials;
  const { missing, unknown } = read;
  const problems = [
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(', ')}`]),
    ...(unknown.length === 0
      ? []
      : [
          `unknown: ${unknown.map((field) => (isFieldName(field) ? field : 'a name that is not valid')).join(', ')}`,
        ]),
    ...read.problems,
  ];
  throw new CommandError(
    `the fields are wrong (${problems.join('; ')}): this account needs ${describeForm(form)}`,
    exitCodes.usage,
  );
}
