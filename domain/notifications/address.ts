/**
 * Whether a message may be sent to an e-mail address. Stricter than the standard, because whatever a mail library reads as
 * a list, a name, a comment or a line break would reach somebody else: letters, digits and the marks of an atom before the
 * @, a domain with a dot after it, nothing else.
 */
export function isMailAddress(text: string): boolean {
  if (text.length > addressLengthMax) return false;
  const [local = '', domain = '', ...rest] = text.split('@');
  return rest.length === 0 && local.length <= localLengthMax && isAtoms(local) && isDomain(domain);
}

/** Limits of RFC 5321, section 4.5.3.1. */
const addressLengthMax = 254;
const localLengthMax = 64;

function isAtoms(local: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/.test(local);
}

function isDomain(domain: string): boolean {
  const labels = domain.split('.');
  return (
    labels.length >= 2 &&
    labels.every((label) => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label))
  );
}
