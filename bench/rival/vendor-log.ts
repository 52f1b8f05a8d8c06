import { openSync, readFileSync, writeSync } from 'node:fs';

/**
 * The vendor's own log: one append-only file for each row, in which the vendor writes the begin and the end of each request
 * for a plant's summary. All figures about punctuality come from it.
 */

/** One request as the vendor saw it. */
export interface VendorCall {
  /** The vendor's id of the plant. */
  plant: string;
  beganAtMs: number;
  /** null: its worker died before the answer. */
  endedAtMs: number | null;
  /** Whether the vendor answered with a summary. */
  isAnswered: boolean;
}

type Ending = 'ANSWERED' | 'FAILED';

/** Writes unbuffered, so that the log survives the death of its writer. */
export interface VendorLog {
  begin(plant: string): number;
  end(call: number, ending: Ending): void;
}

/** @param generation number of this start of the worker, within which calls are numbered. */
export function openVendorLog(file: string, generation: number): VendorLog {
  const descriptor = openSync(file, 'a');
  let calls = 0;
  return {
    begin(plant) {
      calls += 1;
      writeSync(descriptor, `B ${generation}.${calls} ${Date.now()} ${plant}\n`);
      return calls;
    },
    end(call, ending) {
      writeSync(descriptor, `E ${generation}.${call} ${Date.now()} ${ending}\n`);
    },
  };
}

/** All calls of the log, in the order of their begin. */
export function readVendorLog(file: string): VendorCall[] {
  return parseVendorLog(readFileSync(file, 'utf8'));
}

/** Ignores an incomplete last line. @throws Error for any other malformed line. */
export function parseVendorLog(text: string): VendorCall[] {
  const calls = new Map<string, VendorCall>();
  for (const line of text.split('\n').slice(0, -1)) {
    const [kind, call = '', at, last = ''] = line.split(' ');
    const atMs = Number(at);
    const begun = calls.get(call);
    if (!Number.isFinite(atMs)) throw new Error(`not a line of the vendor's log: ${line}`);
    if (kind === 'B') {
      calls.set(call, { plant: last, beganAtMs: atMs, endedAtMs: null, isAnswered: false });
    } else if (kind === 'E' && begun !== undefined) {
      begun.endedAtMs = atMs;
      begun.isAnswered = last === 'ANSWERED';
    } else throw new Error(`not a line of the vendor's log: ${line}`);
  }
  return [...calls.values()].toSorted((a, b) => a.beganAtMs - b.beganAtMs);
}
