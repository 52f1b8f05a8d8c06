/** What a brand's login needs, as data: people are asked for it, and what they enter is checked, in one way everywhere. */

/** A field that may be left out and is no secret: it chooses one of a few known values. */
export interface CredentialChoice {
  field: string;
  values: readonly string[];
  /** Stored where new credentials do not say. Credentials from before the choice existed have no value. */
  usual: string;
}

export interface CredentialForm {
  /** In the order in which people are asked; all are required and secret. */
  credentialFields: readonly string[];
  credentialChoices?: readonly CredentialChoice[];
}

export type ReadCredentials =
  | { ok: true; credentials: Record<string, string> }
  /** `problems` name fields and allowed values, and repeat nothing that was entered. */
  | { ok: false; missing: string[]; unknown: string[]; problems: string[] };

/** Checks entered credentials against the form; a choice that was not made becomes the usual one. */
export function readCredentials(
  form: CredentialForm,
  entered: Readonly<Record<string, string>>,
): ReadCredentials {
  const { credentialFields: fields, credentialChoices: choices = [] } = form;
  const known = new Set([...fields, ...choices.map(({ field }) => field)]);
  const missing = fields.filter((field) => valueOf(entered, field) === '');
  const unknown = Object.keys(entered).filter((field) => !known.has(field));
  const made = choices.map(
    ({ field, usual }) => [field, valueOf(entered, field) || usual] as const,
  );
  const problems = choices
    .filter(({ values }, index) => !values.includes(made[index]?.[1] ?? ''))
    .map(({ field, values }) => `${field} must be ${values.join(' or ')}`);
  if (missing.length > 0 || unknown.length > 0 || problems.length > 0) {
    return { ok: false, missing, unknown, problems };
  }
  return { ok: true, credentials: { ...entered, ...Object.fromEntries(made) } };
}

/** "account, password, and optionally portal (SEMS or SEMS_PLUS; SEMS_PLUS if left out)" */
export function describeForm(form: CredentialForm): string {
  const choices = (form.credentialChoices ?? []).map(
    ({ field, values, usual }) =>
      `, and optionally ${field} (${values.join(' or ')}; ${usual} if left out)`,
  );
  return `${form.credentialFields.join(', ')}${choices.join('')}`;
}

function valueOf(entered: Readonly<Record<string, string>>, field: string): string {
  return Object.hasOwn(entered, field) ? (entered[field] ?? '') : '';
}
