import {
  capacityKwMax,
  type DraftProblem,
  firstStatuses,
  intervalSecondsMax,
  oneWordPattern,
  type PlantDraft,
  type PlantField,
  plantIdPattern,
  textLengthMax,
  visiblePattern,
} from '../domain/plants/plant-draft.ts';
import { type Brand, brands } from '../domain/plants/plant.ts';
import { type StatusProfile, statusProfiles } from '../domain/daylight.ts';
import { isValidTimezone } from '../domain/zone.ts';
import { visibleText } from './render.ts';

/** Reads the values that people write about a plant; flags and file columns use the same readers. */

/** The value is invalid. The message follows the name of the flag or column: "must be …, not …". */
export class FieldProblem extends Error {
  override readonly name = 'FieldProblem';
}

/** Number of characters of a wrong value that an error shows. */
const quotedLengthMax = 60;

function wrong(what: string, text: string): FieldProblem {
  const shown = visibleText(
    text.length > quotedLengthMax ? `${text.slice(0, quotedLengthMax)}…` : text,
  );
  return new FieldProblem(`must be ${what}, not ${shown === '' ? 'empty' : shown}`);
}

/** One of a few words, in any case. */
export function oneOf<Value extends string>(values: readonly Value[]): (text: string) => Value {
  const what = `${values.slice(0, -1).join(', ')} or ${values.at(-1) ?? ''}`;
  return (text) => {
    const found = values.find((value) => value === text.toUpperCase());
    if (found === undefined) throw wrong(what, text);
    return found;
  };
}

function textOf(what: string, pattern: RegExp): (text: string) => string {
  return (text) => {
    if (!pattern.test(text) || text.length > textLengthMax) throw wrong(what, text);
    return text;
  };
}

function decimal(what: string, isPossible: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
    if (!isPossible(value)) throw wrong(what, text);
    return value;
  };
}

/** An empty value means none. */
function orNone<Value>(read: (text: string) => Value): (text: string) => Value | null {
  return (text) => (text === '' ? null : read(text));
}

function vendorPlantId(text: string): string {
  if (/^\d([.,]\d+)?E\+\d+$/i.test(text)) {
    throw new FieldProblem(
      `is ${text}, a long number as a spreadsheet rounds it: format its column as text and paste the ids again`,
    );
  }
  return textOf(
    `the vendor's id of the plant, of at most ${textLengthMax} characters and without spaces`,
    oneWordPattern,
  )(text);
}

/** A cache of valid zones: a check takes 0.1 ms, and a file repeats the same few. */
const validTimezones = new Set<string>();

function timezone(text: string): string {
  if (validTimezones.has(text)) return text;
  if (!isValidTimezone(text)) throw wrong('the name of a zone, such as Europe/Amsterdam', text);
  validTimezones.add(text);
  return text;
}

/** @param what "a whole number of seconds". */
export function wholeNumber(what: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) throw wrong(`${what} from ${min} to ${max}`, text);
    return value;
  };
}

const readBrand = oneOf<Brand>(brands);

/** One reader for each value; each throws FieldProblem. */
export const plantFields = {
  id: textOf(
    '1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit',
    plantIdPattern,
  ),
  name: textOf(`one line of at most ${textLengthMax} characters`, visiblePattern),
  brand: (text) => readBrand(/^deye$/i.test(text) ? 'DELE' : text),
  account: textOf(
    `an account's id of at most ${textLengthMax} characters and without spaces`,
    oneWordPattern,
  ),
  vendor_plant_id: vendorPlantId,
  timezone,
  customer: orNone(textOf(`one line of at most ${textLengthMax} characters`, visiblePattern)),
  latitude: orNone(decimal('degrees from -90 to 90', (value) => Math.abs(value) <= 90)),
  longitude: orNone(decimal('degrees from -180 to 180', (value) => Math.abs(value) <= 180)),
  capacity_kw: orNone(
    decimal(
      `more than 0 and at most ${capacityKwMax} kW`,
      (value) => value > 0 && value <= capacityKwMax,
    ),
  ),
  interval: wholeNumber('a whole number of seconds', 1, intervalSecondsMax),
  status: oneOf(firstStatuses),
  status_profile: oneOf<StatusProfile>(statusProfiles),
} satisfies Record<PlantField, (text: string) => unknown>;

export const plantFieldNames = Object.keys(plantFields) as PlantField[];
/** Every plant needs these. */
export const requiredFields = [
  'id',
  'name',
  'brand',
  'account',
  'vendor_plant_id',
  'timezone',
] as const satisfies readonly PlantField[];

/** Reads all values of a plant and reports every problem. Empty optional values count as absent. */
export function readPlantDraft(
  texts: Readonly<Partial<Record<PlantField, string>>>,
): { draft: PlantDraft; problems: [] } | { draft: null; problems: DraftProblem[] } {
  const problems: DraftProblem[] = [];
  const values: Partial<Record<PlantField, unknown>> = {};
  for (const field of plantFieldNames) {
    const text = texts[field]?.trim() ?? '';
    const isRequired = (requiredFields as readonly PlantField[]).includes(field);
    if (text === '') {
      values[field] = null;
      if (isRequired) problems.push({ field, problem: 'is missing' });
      continue;
    }
    try {
      values[field] = plantFields[field](text);
    } catch (error) {
      if (!(error instanceof FieldProblem)) throw error;
      problems.push({ field, problem: error.message });
    }
  }
  if (problems.length > 0) return { draft: null, problems };
  return { draft: values as unknown as PlantDraft, problems: [] };
}

/** The flag that carries a field: `vendor-plant-id`. */
export function flagName(field: PlantField): string {
  return field.replaceAll('_', '-');
}
