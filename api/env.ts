import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

import type { Decider } from '../db/audit-log.ts';
import type { PlantScope } from '../db/scope.ts';
import type { Role } from '../db/tables.ts';

/** The person who sends the request. */
export interface Person {
  userId: number;
  email: string;
  role: Role;
  /** The customer whose plants a CUSTOMER sees; null for other roles. */
  customerId: string | null;
  mustChangePassword: boolean;
}

/** How the request identifies the person: a bearer token, or the pages' session cookie. */
export interface Identity {
  person: Person;
  by: 'TOKEN' | 'SESSION';
  /** For an hour after a one-time link: its person may set a password without the present one. */
  mayChoosePassword: boolean;
}

export interface ApiEnv {
  Variables: {
    /** From `x-request-id` if that is a plain word, else generated; returned and logged. */
    requestId: string;
    /** The request's origin: an IPv4 address, or the /64 of an IPv6 one. */
    address: string;
    /** Finds the person at most once a request; null without a valid token or session. It refuses nobody. */
    identify: () => Promise<Identity | null>;
    /** Set by `requireRole`. */
    person: Person;
  };
  /** Absent in tests without a socket. */
  Bindings: Partial<HttpBindings>;
}

/** The plants that a person may see: a CUSTOMER own plants only, others all. */
export function plantScope(person: Person): PlantScope {
  if (person.role !== 'CUSTOMER') return { customerId: null };
  // A constraint of the database ensures the same. A missing customer must never mean all plants.
  if (person.customerId === null) throw new Error('a CUSTOMER without a customer_id');
  return { customerId: person.customerId };
}

/** The person as the audit log names who acts. Without `person` only after `requireRole`. */
export function deciderOf(c: Context<ApiEnv>, person: Person = c.get('person')): Decider {
  return { actor: person.email, requestId: c.get('requestId') };
}

/** The person who acts and the plants they may act on. Without `person` only after `requireRole`. */
export function actingOf(
  c: Context<ApiEnv>,
  person: Person = c.get('person'),
): { by: Decider; scope: PlantScope } {
  return { by: deciderOf(c, person), scope: plantScope(person) };
}
