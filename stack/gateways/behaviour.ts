/** What a simulated gateway does wrong, and when. Each is known from devices in the field. */

export const behaviours = [
  'GOOD',
  /** Takes requests and never answers. */
  'SILENT',
  /** Exception 2 for whatever touches the range of `refused`. */
  'REFUSES_RANGE',
  /** Answers in the name of another unit. */
  'WRONG_UNIT',
  /** Answers with another transaction id. */
  'FOREIGN_ID',
  /** Closes the connection instead of an answer. */
  'CLOSES',
  /** Refuses every connection as soon as it is made. */
  'HANGS_UP',
  /** Closes a connection that was idle for a while. */
  'CLOSES_IDLE',
  /** Answers when nobody waits any more. */
  'LATE',
  /** The byte count does not match what follows. */
  'WRONG_LENGTH',
  /** The answer has fewer registers than were asked for. */
  'SHORT',
  /** Sends the words of each value in the reverse order. */
  'WORD_ORDER',
  /** Exception 6. */
  'BUSY',
  /** Exception 11: the bus behind the gateway is silent. */
  'TARGET_SILENT',
  /** Sends frames that nobody asked for, as fast as the connection takes them. */
  'FLOODS',
  /** Sends the answer byte by byte, which is right and unusual. */
  'DRIBBLES',
] as const;
export type Behaviour = (typeof behaviours)[number];

/** All but the good one. */
export const misbehaviours: readonly Behaviour[] = behaviours.filter((one) => one !== 'GOOD');

/** How a gateway behaves over time. */
export interface Temper {
  /** One for each minute since its first request, again and again; empty: always GOOD. */
  minutes: readonly Behaviour[];
  /** What REFUSES_RANGE refuses: registers, both ends included. */
  refused?: { from: number; to: number };
}

export const evenTemper: Temper = { minutes: [] };

const minuteMs = 60_000;

/** @param sinceMs when its minutes began to count. */
export function behaviourAt(temper: Temper, sinceMs: number, nowMs: number): Behaviour {
  const { minutes } = temper;
  if (minutes.length === 0) return 'GOOD';
  const minute = Math.max(0, Math.floor((nowMs - sinceMs) / minuteMs));
  return minutes[minute % minutes.length] as Behaviour;
}

/** @returns whether the word is the name of a behaviour. */
export function isBehaviour(word: string): word is Behaviour {
  return (behaviours as readonly string[]).includes(word);
}
