import { findOpenHalt, type Halt } from '../db/halts.ts';
import { localTimeText } from '../domain/wording.ts';
import type { Component, Fact } from './diagnosis.ts';

/** The emergency stop, as a component of the diagnosis. */

export const openHalt: Fact<Halt | null> = ({ db }) => findOpenHalt(db);

/** "All polling has been stopped since 2026-12-01 10:00 UTC by cli:ana: smoke." */
export function haltSentence({ fromAt, by, reason }: Halt, zone: string): string {
  const why = reason === null ? '.' : `: ${reason.replace(/[.]$/, '')}.`;
  return `All polling has been stopped since ${localTimeText(fromAt.getTime(), zone)} by ${by}${why}`;
}

export const halt: Component<Halt | null> = {
  name: 'halt',
  part: 'loops',
  fact: openHalt,
  judge(open, { zone }) {
    if (open === null) return { state: 'ok', sentence: 'Nobody has stopped all polling.' };
    return {
      state: 'degraded',
      kind: 'HALTED',
      sentence: haltSentence(open, zone ?? 'UTC'),
      advice: '`heliograph polling start --all` lifts it.',
    };
  },
  away: {
    state: 'degraded',
    sentence: 'Whether all polling is stopped is not known while PostgreSQL is away.',
  },
};
