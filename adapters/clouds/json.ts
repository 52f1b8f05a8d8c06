import type * as z from 'zod';
import { invalidFormat } from './adapter-error.ts';

/** The longest body that is parsed: alarm pages and month series stay far below, and a hostile one must not fill the memory. */
export const bodyCharactersMax = 1_048_576;

/** The deepest nesting that is parsed: vendors use 6 levels; beyond some thousands a recursive reader would run out of stack. */
export const bodyDepthMax = 64;

/**
 * A vendor's body as a value. Size and depth are checked before anything is parsed. Whole numbers that a double cannot
 * hold (ids of 16 digits and more) come out as text, digit for digit; keys named `__proto__` are dropped.
 *
 * @throws AdapterError INVALID_DATA_FORMAT: too long, too deep, empty, HTML, or not JSON. The message holds nothing of the body.
 */
export function parseJson(body: string): unknown {
  if (body.length > bodyCharactersMax) {
    throw invalidFormat(`the vendor's answer is longer than ${bodyCharactersMax} characters`);
  }
  const text = body.trim();
  if (text === '') throw invalidFormat('the vendor answered with an empty body instead of JSON');
  if (text.startsWith('<')) throw invalidFormat('the vendor answered with HTML instead of JSON');
  if (isDeeperThan(text, bodyDepthMax)) {
    throw invalidFormat(`the vendor's answer is nested deeper than ${bodyDepthMax} levels`);
  }
  try {
    return needsCare.test(text) ? parseWithSource(text, keepDigits) : JSON.parse(text);
  } catch {
    // The engine's SyntaxError quotes the body, so it is neither repeated nor kept as the cause.
    throw invalidFormat("the vendor's answer is not JSON, or was cut off");
  }
}

/**
 * The value, if it has the form that is needed.
 *
 * @param what Names the answer in the message, such as `stationDetail`.
 * @throws AdapterError INVALID_DATA_FORMAT with the path and what was expected there, never with the value.
 */
export function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue === undefined ? '' : issue.path.map(pathStep).join('.');
  throw invalidFormat(`${what}: ${path === '' ? 'the answer' : path} ${expectation(issue)}`);
}

/** What a JSON reviver is told of a primitive: the text it was written as (ECMA-262, "JSON.parse source text access"). */
type SourceReviver = (key: string, value: unknown, context: { source?: string }) => unknown;

/** `JSON.parse` with source text access, which the language has (Node 21+) and TypeScript's library does not declare yet. */
export const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;

/**
 * Matches what the plain parser would spoil: a number of 16 digits and more, or a key `__proto__`, which may be written with
 * escapes. A reviver takes four times as long as plain parsing, and few bodies need it.
 */
const needsCare = /(^|[:,[\s-])\d{16}|__proto__|\\u/;

/** Leaves whole numbers beyond a double's precision as text, and drops keys that could reach a prototype. */
export function keepDigits(key: string, value: unknown, context: { source?: string }): unknown {
  if (key === '__proto__') return undefined;
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  return context.source !== undefined && /^-?\d+$/.test(context.source) ? context.source : value;
}

const quote = 0x22;
const backslash = 0x5c;
const brace = 0x7b;
const braceEnd = 0x7d;
const bracket = 0x5b;
const bracketEnd = 0x5d;

/** Reads the text once, without a regular expression, so that no body makes it slow. */
function isDeeperThan(text: string, depthMax: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text.charCodeAt(i);
    if (character === quote) inString = !inString;
    else if (inString) {
      if (character === backslash) i += 1;
    } else if (character === brace || character === bracket) {
      depth += 1;
      if (depth > depthMax) return true;
    } else if (character === braceEnd || character === bracketEnd) depth -= 1;
  }
  return false;
}

function pathStep(step: PropertyKey): string {
  // Keys of a record come from the vendor; those of a schema are short names.
  return typeof step === 'string' && !/^\w{1,40}$/.test(step) ? '…' : String(step);
}

function expectation(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'invalid_type':
      return `is missing or not of type ${issue.expected}`;
    case 'invalid_value':
      return `is none of ${issue.values.map(String).join(', ')}`;
    case 'custom':
      return issue.message;
    default:
      return 'does not have the form that is known';
  }
}
