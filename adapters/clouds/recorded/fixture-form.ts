import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { brands, type Brand } from '../../../domain/plants/plant.ts';
import { parseWithSource } from '../json.ts';

/**
 * The form of fixtures/<brand>/<scenario>.json and plants.json, as fixtures/README.md explains it. Ours to write, so it is
 * strict: a misspelt knob is refused rather than ignored.
 */

const pointer = z.string().regex(/^(\/.*)?$/, 'is no JSON pointer');
const localTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'is no local time HH:mm');

const timeForms = [
  'epoch_ms',
  'epoch_ms_text',
  'epoch_s',
  'epoch_s_text',
  'epoch_s_float',
  'local_midnight_ms',
  'yyyy-MM-dd',
  'yyyy-MM',
  'MM/dd/yyyy',
  'yyyy-MM-dd HH:mm:ss',
  'yyyy-MM-ddTHH:mm:ss',
  'MM/dd/yyyy HH:mm:ss',
] as const;
export type TimeForm = (typeof timeForms)[number];

export const powerUnits = { W: 1, kW: 1e3, MW: 1e6 } as const;
export const energyUnits = { Wh: 1e-3, kWh: 1, MWh: 1e3, GWh: 1e6 } as const;

const timeText = {
  form: z.enum(timeForms),
  /** The zone in which a local form is written; the plant's unless given. */
  zone: z.string().optional(),
};
const amount = {
  /** This part of the plant's value: 0.5 for each of two inverters. */
  share: z.number().default(1),
  /** The vendor's own extra factor: 1000 where it writes 0.001 beside the value. */
  factor: z.number().default(1),
  decimals: z.int().min(0).max(9).optional(),
};
const energyUnit = z.enum(['Wh', 'kWh', 'MWh', 'GWh']);
const powerUnit = z.enum(['W', 'kW', 'MW']);

const daySeries = z.strictObject({
  at: pointer,
  is: z.literal('day_series'),
  ...timeText,
  /** Where a row holds its date: one pointer, or one each for year, month and day. */
  date: z.union([pointer, z.strictObject({ year: pointer, month: pointer, day: pointer })]),
  energy: pointer,
  unit: energyUnit,
  factor: amount.factor,
  decimals: amount.decimals,
  /** Which days are asked for; pointers into the request's JSON body. Without it: the last 7 days and today. */
  days: z
    .union([
      z.strictObject({ month_of: pointer }),
      z.strictObject({ until: pointer, count: pointer }),
      z.strictObject({ from: pointer, to: pointer, to_exclusive: z.boolean().default(false) }),
    ])
    .optional(),
  /** The row of today is added too, with the energy so far. */
  with_today: z.boolean().default(true),
  newest_first: z.boolean().default(false),
  /** Days without a row: "-2" for the day before yesterday, "month-end" for today when it is the last of its month. */
  leave_out: z.array(z.string().regex(/^(-\d+|0|month-end)$/)).default([]),
  /** Days with a row whose energy is null, or 0. */
  nulls: z.array(z.string().regex(/^(-\d+|0)$/)).default([]),
  zeros: z.array(z.string().regex(/^(-\d+|0)$/)).default([]),
});
export type DaySeriesMove = z.infer<typeof daySeries>;

const move = z.discriminatedUnion('is', [
  z.strictObject({
    at: pointer,
    is: z.literal('measured_at'),
    ...timeText,
    offset_s: z.number().default(0),
  }),
  z.strictObject({
    at: pointer,
    is: z.literal('time'),
    ...timeText,
    offset_s: z.number().default(0),
    /** The start of the running period of this many seconds, instead of the clock itself. */
    floor_s: z.int().positive().optional(),
    /** "today 10:00", "yesterday 16:20": the plant's wall clock instead. */
    local: z
      .string()
      .regex(/^(today|yesterday) ([01]\d|2[0-3]):[0-5]\d$/)
      .optional(),
  }),
  z.strictObject({ at: pointer, is: z.literal('power'), unit: powerUnit, ...amount }),
  z.strictObject({ at: pointer, is: z.literal('today_energy'), unit: energyUnit, ...amount }),
  z.strictObject({ at: pointer, is: z.literal('month_energy'), unit: energyUnit, ...amount }),
  z.strictObject({ at: pointer, is: z.literal('year_energy'), unit: energyUnit, ...amount }),
  z.strictObject({ at: pointer, is: z.literal('lifetime_energy'), unit: energyUnit, ...amount }),
  z.strictObject({ at: pointer, is: z.literal('capacity'), unit: powerUnit, ...amount }),
  daySeries,
  z.strictObject({
    at: pointer,
    is: z.literal('plant_id'),
    /** As a number without quotes, digit for digit. */
    bare: z.boolean().default(false),
  }),
  z.strictObject({ at: pointer, is: z.literal('timezone') }),
  /** The zone's offset from UTC at the clock, in hours. */
  z.strictObject({ at: pointer, is: z.literal('utc_offset_h'), factor: amount.factor }),
  z.strictObject({
    at: pointer,
    is: z.literal('state'),
    online: z.unknown(),
    asleep: z.unknown(),
    offline: z.unknown(),
  }),
  z.strictObject({ at: pointer, is: z.literal('value'), value: z.unknown() }),
  /** JSON text put there as it is: 1e999, a bare number of 19 digits. */
  z.strictObject({ at: pointer, is: z.literal('raw'), json: z.string() }),
  z.strictObject({ at: pointer, is: z.literal('absent') }),
]);
export type Move = z.infer<typeof move>;

const exchange = z.strictObject({
  about: z.string().optional(),
  request: z.strictObject({
    method: z.enum(['GET', 'POST']),
    path: z.string().startsWith('/'),
    /** A part of the request's JSON body that must be there. */
    body: z.record(z.string(), z.unknown()).optional(),
    query: z.record(z.string(), z.string()).optional(),
  }),
  /** Answers only at these times. */
  when: z
    .union([
      z.strictObject({
        every_s: z.number().positive(),
        from_s: z.number().min(0),
        to_s: z.number(),
      }),
      z.strictObject({ local_from: localTime, local_to: localTime }),
    ])
    .optional(),
  /** Answers only this many matching requests of one call chain. */
  times: z.int().positive().optional(),
  /** Without it: the response and the moves of the next exchange for the same method and path, here or in what is extended. */
  response: z
    .strictObject({
      status: z.int().default(200),
      headers: z.record(z.string(), z.string()).default({}),
      body: z.unknown().optional(),
      text: z.string().optional(),
      /** How often the text is repeated. */
      repeat: z.int().positive().default(1),
      /** Answers after this delay. */
      delay_ms: z.number().positive().optional(),
      /** Never answers: the request ends by its time limit or by being aborted. */
      hang: z.boolean().default(false),
    })
    .optional(),
  moves: z.array(move).default([]),
});
export type Exchange = z.infer<typeof exchange>;
export type FixtureResponse = NonNullable<Exchange['response']>;

const scenarioFile = z.strictObject({
  brand: z.enum(brands),
  about: z.string(),
  extends: z.string().optional(),
  day: z
    .strictObject({
      lag_s: z.number().min(0).optional(),
      sleeps: z.boolean().optional(),
      today_factor: z.number().min(0).optional(),
      reset_at: z.union([localTime, z.literal('wake')]).optional(),
      silent: z.strictObject({ from: localTime, to: localTime }).optional(),
      silent_since: z.literal('id').optional(),
    })
    .default({}),
  /** What the vendor has on its books instead of the stored credentials: the scenario of a wrong password. */
  credentials: z.record(z.string(), z.string()).optional(),
  exchanges: z.array(exchange).default([]),
});

/** A scenario with what it extends: its own exchanges first, each with a response. */
export interface Scenario {
  name: string;
  about: string;
  day: NonNullable<z.infer<typeof scenarioFile>['day']>;
  credentials: Readonly<Record<string, string>> | null;
  exchanges: readonly (Exchange & { response: FixtureResponse })[];
}

const plantsFile = z.strictObject({
  plants: z.array(
    z.strictObject({
      /** A regular expression over the vendor's plant id; the first match wins. */
      match: z.string(),
      scenario: z.string(),
      /** `by-id`: between 4 and 200 kW, drawn from the id. */
      capacity_kw: z.union([z.number().positive(), z.literal('by-id')]).optional(),
      /** How often this plant's alarms are asked, instead of the brand's usual interval. */
      alarm_interval_s: z.int().positive().optional(),
      about: z.string().optional(),
    }),
  ),
});
export type PlantEntry = z.infer<typeof plantsFile>['plants'][number] & { pattern: RegExp };

const scenariosByFile = new Map<string, Scenario>();
const plantsByFile = new Map<string, readonly PlantEntry[]>();

/** A scenario, read once per process: fixtures do not change while it runs. Throws where the file is missing or malformed. */
export function loadScenario(fixturesDir: string, brand: Brand, name: string): Scenario {
  const file = scenarioPath(fixturesDir, brand, name);
  const known = scenariosByFile.get(file);
  if (known !== undefined) return known;
  const own = parseFile(file, scenarioFile);
  if (own.brand !== brand) throw new Error(`${file}: belongs to ${own.brand}, not to ${brand}`);
  const base = own.extends === undefined ? null : loadScenario(fixturesDir, brand, own.extends);
  const exchanges = [...own.exchanges, ...(base?.exchanges ?? [])];
  const scenario: Scenario = {
    name,
    about: own.about,
    day: { ...base?.day, ...own.day },
    credentials: own.credentials ?? base?.credentials ?? null,
    exchanges: exchanges.map((one, index) => withResponse(one, exchanges.slice(index + 1), file)),
  };
  scenariosByFile.set(file, scenario);
  return scenario;
}

/** The plants of a brand with their scenarios, in the order in which they are tried; read once per process. */
export function loadPlants(fixturesDir: string, brand: Brand): readonly PlantEntry[] {
  const file = join(fixturesDir, brand.toLowerCase(), 'plants.json');
  const known = plantsByFile.get(file);
  if (known !== undefined) return known;
  const plants = parseFile(file, plantsFile).plants.map((plant) => ({
    ...plant,
    pattern: new RegExp(plant.match, 'u'),
  }));
  for (const { scenario } of plants) {
    if (!existsSync(scenarioPath(fixturesDir, brand, scenario))) {
      throw new Error(`${file}: there is no scenario ${scenario}`);
    }
  }
  plantsByFile.set(file, plants);
  return plants;
}

function scenarioPath(fixturesDir: string, brand: Brand, name: string): string {
  return join(fixturesDir, brand.toLowerCase(), `${name}.json`);
}

/** Keeps every number as it is written ("16770.000", 19 digits, 1e999), so that a body leaves as it was recorded. */
export function keepNumberText(
  _key: string,
  value: unknown,
  context: { source?: string },
): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value;
  return String(value) === context.source ? value : rawJson(context.source);
}

const { rawJSON, isRawJSON } = JSON as unknown as {
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
};
/** A value that `JSON.stringify` writes as the given text; in the language since Node 21, not in TypeScript's library yet. */
export const rawJson = rawJSON;
export const isRawJson = isRawJSON;

function parseFile<T>(file: string, schema: z.ZodType<T>): T {
  let value: unknown;
  try {
    value = parseWithSource(readFileSync(file, 'utf8'), keepNumberText);
  } catch (error) {
    throw new Error(`${file}: cannot be read as JSON`, { cause: error });
  }
  const result = schema.safeParse(value);
  if (!result.success) throw new Error(`${file}: ${z.prettifyError(result.error)}`);
  return result.data;
}

function withResponse(
  one: Exchange,
  following: readonly Exchange[],
  file: string,
): Exchange & { response: FixtureResponse } {
  if (one.response !== undefined) return { ...one, response: one.response };
  const { method, path } = one.request;
  const index = following.findIndex(
    ({ request }) => request.method === method && request.path === path,
  );
  const next = following[index];
  if (next === undefined) throw new Error(`${file}: ${method} ${path} has no response to inherit`);
  const inherited = withResponse(next, following.slice(index + 1), file);
  return { ...one, response: inherited.response, moves: [...inherited.moves, ...one.moves] };
}
