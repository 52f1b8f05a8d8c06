/** What goes wrong on the way to a gateway, in words for people. */

import type { ReadRange } from '../../domain/gateways/read-plan.ts';
import type { FailureReason, PollFailure } from '../../domain/gateways/reading.ts';
import type { FrameProblem } from './frame.ts';

/** A request that has no answer. */
export interface Failed {
  kind: 'FAILED';
  failure: PollFailure;
  /** PEER: the other side ended the connection before the first byte of an answer. CONNECT: there is no connection. */
  by: 'CONNECT' | 'PEER' | 'TIMEOUT' | 'FRAME' | 'CUT';
  /** The answer was longer or shorter than asked for. */
  isLength: boolean;
}

export function failed(
  by: Failed['by'],
  reason: FailureReason,
  message: string,
  isLength = false,
): Failed {
  return { kind: 'FAILED', failure: { reason, message }, by, isLength };
}

/** "unit 3, function 3, addresses 40000 to 40009". */
export function rangeText({ unitId, function: code, address, count }: ReadRange): string {
  const last = address + count - 1;
  const range = count === 1 ? `address ${address}` : `addresses ${address} to ${last}`;
  return `unit ${unitId}, function ${code}, ${range}`;
}

/** A frame that is not the answer. */
export function frameFailure(site: string, range: ReadRange, problem: FrameProblem): Failed {
  const reason = problem.of === 'FOREIGN' ? 'FOREIGN_FRAMES' : 'PROTOCOL';
  const message = `${site} sent something else than the answer to ${rangeText(range)}: ${problem.message}`;
  return failed('FRAME', reason, message, problem.of === 'LENGTH');
}

/** Codes of errors that connecting gives, and what they mean. */
const connectErrors: Readonly<Partial<Record<string, readonly [FailureReason, string]>>> = {
  ECONNREFUSED: ['CONNECTION_REFUSED', 'refused the connection: nothing listens on its port'],
  ECONNRESET: ['CLOSED', 'reset the connection while it was being opened'],
  ETIMEDOUT: ['CONNECT_TIMEOUT', 'did not answer the attempt to connect'],
  EHOSTUNREACH: ['NO_ROUTE', 'cannot be reached: no host answers at its address'],
  EHOSTDOWN: ['NO_ROUTE', 'cannot be reached: its host is down'],
  ENETUNREACH: ['NO_ROUTE', 'cannot be reached: there is no route to its network'],
  EADDRNOTAVAIL: ['NO_ROUTE', 'cannot be reached: this machine has no free local port or address'],
  EACCES: ['NO_ROUTE', 'cannot be reached: this machine forbids the connection'],
  EPERM: ['NO_ROUTE', 'cannot be reached: this machine forbids the connection'],
  EMFILE: ['NO_ROUTE', 'cannot be reached: this process has as many files open as it may'],
  ENFILE: ['NO_ROUTE', 'cannot be reached: this machine has as many files open as it may'],
};

export function connectFailure(site: string, code: string | undefined): Failed {
  const [reason, words] = connectErrors[code ?? ''] ?? [
    'NO_ROUTE' as const,
    `cannot be reached (${code ?? 'no code'})`,
  ];
  return failed('CONNECT', reason, `${site} ${words}`);
}
