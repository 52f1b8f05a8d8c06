import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';

import { isValidTimezone, type ReaderZone } from '../../domain/zone.ts';
import { Problem } from '../problem.ts';

/** Whose clock the times of the pages follow. The reader chooses once; the browser keeps the choice in a cookie. */

const cookieName = 'heliograph-zone';
const keptForS = 365 * 24 * 3_600;

/** What the form offers: the clock of each plant, one zone that the reader names, or UTC. */
const zoneChoices = ['plant', 'own', 'utc'] as const;
type ZoneChoice = (typeof zoneChoices)[number];

export const zoneWords: Readonly<Record<ZoneChoice, string>> = {
  plant: 'plant time',
  own: 'own time',
  utc: 'UTC',
};

export function choiceOf(zone: ReaderZone): ZoneChoice {
  if (zone === null) return 'plant';
  return zone === 'UTC' ? 'utc' : 'own';
}

/** The reader's zone; null, each plant's own, unless the cookie names one. */
export function readerZoneOf(c: Context): ReaderZone {
  const zone = getCookie(c, cookieName);
  return zone !== undefined && isValidTimezone(zone) ? zone : null;
}

/** Keeps the choice of the form. @throws Problem for another choice, or a zone that is unknown. */
export function keepReaderZone(
  c: Context,
  { zone: choice, own }: Record<string, unknown>,
  { secure }: { secure: boolean },
): void {
  if (!zoneChoices.some((one) => one === choice))
    throw new Problem('invalid-request', 'zone: one of the offered choices.');
  const named = typeof own === 'string' ? own.trim() : '';
  if (choice === 'own' && !isValidTimezone(named))
    throw new Problem(
      'invalid-request',
      'Own zone: must be the name of a zone, such as Europe/Amsterdam.',
    );
  const ownOrUtc = choice === 'own' ? named : 'UTC';
  const zone = choice === 'plant' ? '' : ownOrUtc;
  const attributes = { path: '/', httpOnly: true, sameSite: 'Lax', secure } as const;
  setCookie(c, cookieName, zone, { ...attributes, maxAge: zone === '' ? 0 : keptForS });
}
