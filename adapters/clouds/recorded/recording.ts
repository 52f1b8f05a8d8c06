import * as z from 'zod';
import { keepNumberText } from './fixture-form.ts';
import { keepDigits, parseJson, parseWithSource } from '../json.ts';
import type { TransportResponse } from '../transport.ts';

/**
 * A file of recorded exchanges as strangers write it: the form of fixtures/README.md without what moves, read with
 * patience. What is asked for is a request's path and its response; the rest helps.
 */

export interface RecordedExchange {
  /** null where the file does not say. */
  method: string | null;
  /** Without host and query. */
  path: string;
  /** The request's JSON, or the part of it that was recorded. */
  body: Readonly<Record<string, unknown>>;
  times: number | null;
  /** `never`: the vendor was recorded as not answering. */
  response: TransportResponse | 'never';
  /** The answer's JSON, with ids of many digits as text; null where it is none. */
  answer: unknown;
}

export interface Recording {
  vendorPlantId: string | null;
  exchanges: readonly RecordedExchange[];
}

/** The text is no recording. The message says what was looked for. */
export class RecordingError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RecordingError';
  }
}

const plantId = z.union([z.string(), z.number()]).transform(String).nullish();

const exchangeForm = z.looseObject({
  request: z.union([
    z.string(),
    z.looseObject({
      method: z.string().nullish(),
      path: z.string().nullish(),
      url: z.string().nullish(),
      body: z.unknown().optional(),
    }),
  ]),
  response: z
    .looseObject({
      status: z.coerce.number().int().min(100).max(599).default(200),
      headers: z.record(z.string(), z.unknown()).nullish(),
      body: z.unknown().optional(),
      text: z.string().optional(),
      repeat: z.number().int().positive().default(1),
      hang: z.boolean().default(false),
    })
    .nullish(),
  times: z.number().int().positive().nullish(),
});
type ExchangeForm = z.infer<typeof exchangeForm>;

const recordingForm = z.union([
  z.array(exchangeForm).transform((exchanges) => ({ vendor_plant_id: null, exchanges })),
  z.looseObject({ vendor_plant_id: plantId, exchanges: z.array(exchangeForm) }),
]);

/**
 * The exchanges of a file, in its order. Those without a response (a fixture that takes it from another file) are left out.
 *
 * @throws RecordingError where the text is no JSON or holds no exchange.
 */
export function readRecording(text: string): Recording {
  const { value, original } = parseTwice(text);
  const form = recordingForm.safeParse(value);
  if (!form.success) {
    throw new RecordingError(
      'the file holds no "exchanges" with a request (path) and a response each; see fixtures/README.md',
      { cause: form.error },
    );
  }
  const originals = Array.isArray(original)
    ? original
    : (original as { exchanges: unknown[] }).exchanges;
  const exchanges = form.data.exchanges.flatMap((exchange, index) => {
    const read = readExchange(exchange, originals[index]);
    return read === null ? [] : [read];
  });
  if (exchanges.length === 0) throw new RecordingError('no exchange of the file has a response');
  return { vendorPlantId: form.data.vendor_plant_id ?? null, exchanges };
}

/** Once to be understood, with long ids as text; once to be sent on, with every number as it is written. */
function parseTwice(text: string): { value: unknown; original: unknown } {
  try {
    return {
      value: parseWithSource(text, keepDigits),
      original: parseWithSource(text, keepNumberText),
    };
  } catch (error) {
    throw new RecordingError('the file is not JSON', { cause: error });
  }
}

function readExchange(exchange: ExchangeForm, original: unknown): RecordedExchange | null {
  const { request, response, times } = exchange;
  if (response === undefined || response === null) return null;
  const asked = typeof request === 'string' ? requestLine(request) : request;
  const path = pathOnly(asked.path ?? asked.url ?? '');
  if (path === '/') return null;
  const body = bodyText(response, original);
  return {
    method: asked.method?.toUpperCase() ?? null,
    path,
    body: objectOf(asked.body),
    times: times ?? null,
    response: response.hang
      ? 'never'
      : { status: response.status, headers: lowerCase(response.headers ?? {}), body },
    answer: jsonOrNull(body),
  };
}

/** "POST /v1/api/stationDetail" */
function requestLine(text: string): {
  method: string | null;
  path: string;
  url?: string;
  body?: unknown;
} {
  const [method = '', path] = text.trim().split(/\s+/);
  return path === undefined ? { method: null, path: method } : { method, path };
}

function pathOnly(text: string): string {
  try {
    return new URL(text, 'https://recorded.invalid/').pathname;
  } catch {
    return '/';
  }
}

/** The body as the vendor sent it: numbers as they are written in the file. Text is text, wherever it stands. */
function bodyText(response: NonNullable<ExchangeForm['response']>, original: unknown): string {
  if (response.text !== undefined) return response.text.repeat(response.repeat);
  if (typeof response.body === 'string') return response.body;
  if (response.body === undefined) return '';
  return JSON.stringify((original as { response: { body: unknown } }).response.body);
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  const value = typeof body === 'string' ? jsonOrNull(body) : body;
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : {};
}

function jsonOrNull(body: string): unknown {
  try {
    return parseJson(body);
  } catch {
    return null;
  }
}

function lowerCase(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}
