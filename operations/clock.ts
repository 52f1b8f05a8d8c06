import { sql } from 'kysely';

import { durationText } from '../domain/wording.ts';
import type { Component } from './diagnosis.ts';

/** The clock of this machine beside that of PostgreSQL, as a component of the diagnosis. Slots follow a worker's clock. */

/** A clock that is further off makes polls visibly early or late, ms. */
const offsetMsMax = 1_000;
/** Slots of the shortest interval fall into others' time from here on, ms. */
const wrongMsMin = 10_000;

export const clock: Component<{ offsetMs: number; doubtMs: number }> = {
  name: 'clock',
  async fact({ db }) {
    const beganMs = Date.now();
    const { rows } = await sql<{ ms: number }>`
      select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms`.execute(db);
    const endedMs = Date.now();
    const [row] = rows;
    if (row === undefined) throw new Error('PostgreSQL told no time');
    // PostgreSQL read its clock somewhere between the two.
    return { offsetMs: row.ms - (beganMs + endedMs) / 2, doubtMs: (endedMs - beganMs) / 2 };
  },
  judge({ offsetMs, doubtMs }) {
    const off = Math.max(0, Math.abs(offsetMs) - doubtMs);
    const details = { offset_ms: Math.round(offsetMs), doubt_ms: Math.round(doubtMs) };
    if (off <= offsetMsMax)
      return {
        state: 'ok',
        sentence: `The clocks of this machine and of PostgreSQL differ by less than ${durationText(offsetMsMax)}.`,
        details,
      };
    const side = offsetMs > 0 ? 'behind' : 'ahead of';
    return {
      state: off >= wrongMsMin ? 'down' : 'degraded',
      kind: 'CLOCK_DIFFERS',
      sentence: `The clock of this machine is ${durationText(off)} ${side} that of PostgreSQL.`,
      advice:
        'Let both machines follow the same time servers (`timedatectl`, `chronyc tracking`): slots follow the clock of the worker.',
      details,
    };
  },
  away: {
    state: 'degraded',
    sentence: "Whether this machine's clock is right is not known while PostgreSQL is away.",
  },
};
