import { createHmac } from 'node:crypto';
import type { Credentials } from '../contract.ts';
import type { TransportRequest, TransportResponse } from '../transport.ts';

/** What the vendor's side of the fixture transport may know while it answers one request. */
export interface VendorContext {
  /** The credentials that the vendor has on its books; not necessarily those that the adapter was given. */
  knownCredentials: Credentials;
  /** The poll's clock. */
  now: Date;
}

/**
 * The vendor's side of the fixture transport: it refuses what the vendor would refuse, in the vendor's words, and leaves
 * everything else to the fixture. It keeps no state: tokens are derived, not handed out and remembered.
 */
export interface VendorSide {
  /** Answers a login, right or wrong; null where the request is none. */
  login?(request: TransportRequest, context: VendorContext): TransportResponse | null;
  /** Checks method, headers, signature or token of any other request; null when the vendor would go on to answer it. */
  check(request: TransportRequest, context: VendorContext): TransportResponse | null;
  /** What the vendor says of a plant that is not there or belongs to somebody else. */
  plantNotFound(request: TransportRequest, context: VendorContext): TransportResponse;
  /** The plant that the request asks for; null where it asks for none (a list, a device). */
  plantIdOf(request: TransportRequest): string | null;
  /** The choices of the credentials with which an adapter would ask for these paths (of a recording); none unless said. */
  choicesFor?(paths: readonly string[]): Credentials;
}

/**
 * The token that a vendor's side gives for these credentials and accepts afterwards.
 *
 * @param purpose Keeps tokens of different brands or endpoints apart.
 */
export function derivedToken(credentials: Credentials, purpose: string): string {
  return createHmac('sha256', purpose)
    .update(JSON.stringify(Object.entries(credentials).toSorted()))
    .digest('hex');
}

export function jsonResponse(
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): TransportResponse {
  return {
    status,
    headers: { 'content-type': 'application/json;charset=UTF-8', ...headers },
    body: JSON.stringify(body),
  };
}

/** The path of the request's URL, without host and query. */
export function pathOf(request: TransportRequest): string {
  return new URL(request.url).pathname;
}

/** The request's JSON body as an object; empty where there is none, or where it is something else. */
export function jsonBodyOf(request: TransportRequest): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(request.body ?? '');
    return typeof body === 'object' && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** A header of the request whatever its case; null where it is absent. */
export function headerOf(request: TransportRequest, name: string): string | null {
  const wanted = name.toLowerCase();
  for (const [key, value] of Object.entries(request.headers)) {
    if (key.toLowerCase() === wanted) return value;
  }
  return null;
}
