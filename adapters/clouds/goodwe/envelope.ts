import * as z from 'zod';
import { type AdapterError, invalidFormat } from '../adapter-error.ts';
import { parseJson } from '../json.ts';
import type { TransportResponse } from '../transport.ts';
import { isSuccess, refusalByStatus, refusalWithoutCode, type CallKind } from './refusals.ts';

/**
 * A field that one server region sends as text and another as a number (AU sends `code` as text); read by `toNumber`.
 * Infinity is let through: what is impossible is refused field by field, not here.
 */
export const numberOrText = z
  .custom<number | string | null>(
    (value) => value === null || typeof value === 'number' || typeof value === 'string',
    'is neither a number nor a text',
  )
  .optional();

/** What every answer of both portals is wrapped in; texts (`msg`, `description`) and `hasError` are not to be trusted. */
const envelopeSchema = z.object({
  code: z.union([z.number(), z.string()]),
  data: z.unknown().optional(),
  /** Only in a login's answer: where further calls go. */
  api: z.string().nullish(),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/**
 * The envelope of a success.
 *
 * @param what Names the call in messages.
 * @param refusalOf What a code other than success means.
 * @throws AdapterError the refusal; INVALID_DATA_FORMAT for a body that is no envelope.
 */
export function openEnvelope(
  what: string,
  response: TransportResponse,
  kind: CallKind,
  { now, refusalOf }: { now: Date; refusalOf: (code: string | number) => AdapterError },
): Envelope {
  const refusal = refusalByStatus(what, response, kind, now);
  if (refusal !== null) throw refusal;
  const envelope = envelopeSchema.safeParse(parseJson(response.body));
  if (!envelope.success) {
    throw (
      refusalWithoutCode(what, response.status, kind) ??
      invalidFormat(`${what}: the answer has no code`)
    );
  }
  if (!isSuccess(envelope.data.code)) throw refusalOf(envelope.data.code);
  return envelope.data;
}

/** The last step of a path: what a message calls it. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The vendor's own domains; a token goes nowhere else, whatever an answer says. */
const vendorDomain = /(^|\.)(semsportal|goodwe)\.com$/;

/**
 * The address that a login names for further calls.
 *
 * @throws AdapterError INVALID_DATA_FORMAT where it is not one of the vendor's hosts.
 */
export function vendorUrl(api: string): URL {
  const url = URL.canParse(api) ? new URL(api) : null;
  if (url === null || !vendorDomain.test(url.hostname)) {
    throw invalidFormat("login: api is none of the vendor's hosts");
  }
  return url;
}

/** The address by HTTPS, without port, query and a slash at the end: no token leaves in the clear. */
export function secureBase({ hostname, pathname }: URL): string {
  return `https://${hostname}${pathname}`.replace(/\/+$/, '');
}

/** JSON in characters that a header may hold. */
export function headerJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
