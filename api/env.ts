import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';

import type { Decider } from '../db/audit-log.ts';
import type { PlantScope } from '../db/scope.ts';
import type { Role } from '../db/tables.ts';

/** Who asks. */
export interface Person {
  userId: number;
  email: string;
  role: Role;
  /** Whose plants a CUSTOMER sees; null for the other roles. */
  customerId: string | null;
  mustChangePassword: boolean;
}

/** How a person is known: by a bearer token, or by the session cookie of the pages. */
export interface Identity {
  person: Person;
  by: 'TOKEN' | 'SESSION';
}

export interface ApiEnv {
  Variables: {
    /** Taken from `x-request-id` where that is a plain word, else made; answered and logged. */
    requestId: string;
    /** Where the request comes from: an IPv4 address, or the /64 of an IPv6 one. */
    address: string;
    /** Who asks, looked up at most once a request; null without a valid token or session. Does not refuse anybody. */
    identify: () => Promise<Identity | null>;
    /** Set by `requireRole`. */
    person: Person;
  };
  /** Absent in tests, where no socket is. */
  Bindings: Partial<HttpBindings>;
}

/** What a person may see: a CUSTOMER own plants only, the others all. */
export function plantScope(person: Person): PlantScope {
  if (person.role !== 'CUSTOMER') return { customerId: null };
  // The database holds the same by a constraint; without a customer this must never widen to all.
  if (person.customerId === null) throw new Error('a CUSTOMER without a customer_id');
  return { customerId: person.customerId };
}

/** Who acts by this request, and on which plants. @param person not said: only behind `requireRole`. */
export function actingOf(
  c: Context<ApiEnv>,
  person: Person = c.get('person'),
): { by: Decider; scope: PlantScope } {
  return {
    by: { actor: person.email, requestId: c.get('requestId') },
    scope: plantScope(person),
  };
}
