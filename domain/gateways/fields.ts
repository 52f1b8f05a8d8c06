import { nearestWord } from '../nearest-word.ts';

/** Reads JSON that people wrote: every problem is noted with its place, and reading goes on, so that all are told at once. */

/** What is wrong with a definition, or will be when it is polled. */
export interface Problem {
  /** Where: `units[0].points[2].address`; "" for the whole. */
  path: string;
  /** A sentence that says what to do. */
  message: string;
  code: ProblemCode;
}

export type ProblemCode =
  | 'field_missing'
  | 'field_unknown'
  | 'field_invalid'
  | 'address_invalid'
  | 'host_invalid'
  | 'key_duplicate'
  | 'unit_duplicate'
  | 'id_duplicate'
  | 'preset_unknown'
  | 'no_points'
  | 'points_overlap'
  | 'point_too_wide'
  | 'barrier_inside'
  | 'budget_exceeded'
  | 'interval_unusual'
  | 'rate_unknown'
  | 'range_unknown';

/** A place in the JSON, and what was found wrong so far. */
export interface Place {
  path: string;
  problems: Problem[];
}

/** Notes a problem. @returns undefined, so that a reader can end with it. */
export function refuse(
  place: Place,
  message: string,
  code: ProblemCode = 'field_invalid',
): undefined {
  place.problems.push({ path: place.path, message, code });
}

/** Reads one value; undefined if it is refused. */
export type Read<Value> = (json: unknown, place: Place) => Value | undefined;

export interface Fields {
  place: Place;
  /** Whether the field is there and not null. */
  has(name: string): boolean;
  /** The field; `fallback` if it is absent or null; undefined if it is refused. */
  take<Value>(name: string, read: Read<Value>, fallback: Value): Value | undefined;
  /** The field, which must be there; undefined if it is absent or refused. */
  need<Value>(name: string, read: Read<Value>): Value | undefined;
  placeOf(name: string): Place;
  /** Refuses fields that nobody took. */
  end(): void;
}

/** The fields of an object; undefined and a problem if it is none. */
export function fieldsOf(json: unknown, place: Place): Fields | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return refuse(place, `must be an object in braces, not ${named(json)}`);
  const values = json as Record<string, unknown>;
  const known = new Set<string>();
  const placeOf = (name: string): Place => ({
    path: place.path === '' ? name : `${place.path}.${name}`,
    problems: place.problems,
  });
  const has = (name: string) => {
    known.add(name);
    return Object.hasOwn(values, name) && values[name] !== null;
  };
  return {
    place,
    has,
    placeOf,
    take: (name, read, fallback) => (has(name) ? read(values[name], placeOf(name)) : fallback),
    need: (name, read) =>
      has(name)
        ? read(values[name], placeOf(name))
        : refuse(placeOf(name), 'is missing', 'field_missing'),
    end: () => {
      for (const name of Object.keys(values))
        if (!known.has(name) && !/^(_|\$|comment$)/.test(name))
          refuse(placeOf(name), unknownField(name, [...known]), 'field_unknown');
    },
  };
}

function unknownField(name: string, known: readonly string[]): string {
  const near = nearestWord(name, known);
  const fields = known.toSorted().join(', ');
  return near !== null && near.changes <= Math.max(2, name.length / 3)
    ? `is no field here: did you mean ${near.word}?`
    : `is no field here; the fields are ${fields}`;
}

/** A value as a sentence names it, shortened. */
export function named(json: unknown): string {
  if (json === undefined) return 'nothing';
  const text = JSON.stringify(json);
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

const textMax = 200;

/** One line of text, trimmed, not empty. */
export const text: Read<string> = (json, place) => {
  if (typeof json !== 'string' || json.trim() === '')
    return refuse(place, `must be a text, not ${named(json)}`);
  if (json.length > textMax) return refuse(place, `must have at most ${textMax} characters`);
  if (/\p{Cc}/u.test(json)) return refuse(place, 'must be one line without control characters');
  return json.trim();
};

export const number: Read<number> = (json, place) =>
  typeof json === 'number' && Number.isFinite(json)
    ? json
    : refuse(
        place,
        `must be a number${isNumeric(json) ? ' without quotes' : ''}, not ${named(json)}`,
      );

function isNumeric(json: unknown): boolean {
  return typeof json === 'string' && json.trim() !== '' && Number.isFinite(Number(json));
}

export const flag: Read<boolean> = (json, place) =>
  typeof json === 'boolean' ? json : refuse(place, `must be true or false, not ${named(json)}`);

export function integer(min: number, max: number): Read<number> {
  return (json, place) =>
    Number.isInteger(json) && (json as number) >= min && (json as number) <= max
      ? (json as number)
      : refuse(place, `must be a whole number from ${min} to ${max}, not ${named(json)}`);
}

export const positive: Read<number> = (json, place) => {
  const value = number(json, place);
  if (value === undefined || value > 0) return value;
  return refuse(place, `must be more than 0, not ${named(json)}`);
};

/** An address or a number of bits: a whole number, or a text with 0x before hexadecimal digits. */
export const natural: Read<number> = (json, place) => {
  if (typeof json === 'number' && Number.isInteger(json) && json >= 0) return json;
  const digits = typeof json === 'string' ? json.trim() : '';
  if (/^(0x[\da-f]+|\d+)$/i.test(digits)) return Number(digits);
  return refuse(
    place,
    `must be a whole number or hexadecimal such as "0x7D50", not ${named(json)}`,
  );
};

/** One of some words, in any case. @param others words that people also use. */
export function oneOf<Word extends string>(
  words: readonly Word[],
  others: Readonly<Record<string, Word>> = {},
): Read<Word> {
  return (json, place) => {
    const given = typeof json === 'string' ? json.trim() : '';
    const isSame = (word: string) => word.toLowerCase() === given.toLowerCase();
    const word = words.find(isSame) ?? others[Object.keys(others).find(isSame) ?? ''];
    if (word !== undefined) return word;
    const near =
      given === ''
        ? null
        : nearestWord(
            given.toLowerCase(),
            words.map((one) => one.toLowerCase()),
          );
    const meant =
      near !== null && near.changes <= 2
        ? words.find((one) => one.toLowerCase() === near.word)
        : undefined;
    const choice = words.join(', ');
    return refuse(
      place,
      `must be one of ${choice}, not ${named(json)}${meant === undefined ? '' : `: did you mean ${meant}?`}`,
    );
  };
}

/** A list, each entry read by `read`; entries that are refused are left out. */
export function listOf<Value>(read: Read<Value>): Read<Value[]> {
  return (json, place) => {
    if (!Array.isArray(json))
      return refuse(place, `must be a list in brackets, not ${named(json)}`);
    return json.flatMap((entry: unknown, index) => {
      const value = read(entry, { path: `${place.path}[${index}]`, problems: place.problems });
      return value === undefined ? [] : [value];
    });
  };
}
