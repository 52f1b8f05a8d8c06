import type { LocalDate } from '../../../domain/zone.ts';
import {
  addDays,
  instantOf,
  localDateAt,
  localMinutesAt,
  startOfDayMs,
} from '../../../domain/zone.ts';
import { dayTotalKwh, type Measurement, type SimulatedPlant } from './fixture-day.ts';
import {
  energyUnits,
  isRawJson,
  powerUnits,
  rawJson,
  type DaySeriesMove,
  type Move,
  type TimeForm,
} from './fixture-form.ts';

/** What the moves of one response are computed from. */
export interface MoveContext {
  plant: SimulatedPlant;
  /** The plant's newest one at `nowMs`. */
  measurement: Measurement;
  nowMs: number;
  /** The request's JSON body; a day series reads from it which days are asked for. */
  requestBody: Readonly<Record<string, unknown>>;
}

/** Digits after the point where a move says nothing: what vendors usually give in that unit. */
const decimalsByUnit = { W: 0, kW: 3, MW: 6, Wh: 0, kWh: 2, MWh: 3, GWh: 6 } as const;

/** A copy of the body with everything that moves in its place. Throws where a pointer leads nowhere: the fixture is wrong. */
export function applyMoves(body: unknown, moves: readonly Move[], context: MoveContext): unknown {
  const holder = { body: copy(body) };
  for (const move of moves) {
    const { parent, key } = locate(holder, `/body${move.at}`);
    if (move.is === 'absent') {
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
    } else {
      parent[key] = moved(move, parent[key], context);
    }
  }
  return holder.body;
}

type Container = Record<string, unknown>;

function moved(move: Exclude<Move, { is: 'absent' }>, before: unknown, context: MoveContext) {
  const { plant, measurement, nowMs } = context;
  switch (move.is) {
    case 'value':
      return copy(move.value);
    case 'raw':
      return rawJson(move.json);
    case 'plant_id':
      return plantId(move.bare, plant.vendorPlantId, before);
    case 'timezone':
      return plant.timezone;
    case 'utc_offset_h':
      return alike(before, utcOffsetH(nowMs, plant.timezone) * move.factor, 2);
    case 'time':
      return formatTime(instantOfMove(move, context), move.form, move.zone ?? plant.timezone);
    case 'day_series':
      return daySeries(move, before, context);
    case 'capacity':
      return quantity(move, before, plant.capacityKw * 1000);
    case 'measured_at':
      return formatTime(
        measurement.measuredAtMs + move.offset_s * 1000,
        move.form,
        move.zone ?? plant.timezone,
      );
    case 'state': {
      const { online, asleep, offline } = move;
      return { ONLINE: online, ASLEEP: asleep, OFFLINE: offline }[measurement.condition];
    }
    case 'power':
      return quantity(move, before, measurement.powerW);
    case 'today_energy':
      return quantity(move, before, measurement.todayEnergyKwh);
    case 'month_energy':
      return quantity(move, before, measurement.monthEnergyKwh);
    case 'year_energy':
      return quantity(move, before, measurement.yearEnergyKwh);
    case 'lifetime_energy':
      return quantity(move, before, measurement.lifetimeEnergyKwh);
  }
}

function quantity(
  move: {
    unit: keyof typeof decimalsByUnit;
    share: number;
    factor: number;
    decimals?: number | undefined;
  },
  before: unknown,
  amount: number,
): unknown {
  const unit = { ...powerUnits, ...energyUnits }[move.unit];
  const value = (amount * move.share * move.factor) / unit;
  return alike(before, value, move.decimals ?? decimalsByUnit[move.unit]);
}

/** The number, as text where text was before. */
function alike(before: unknown, value: number, decimals: number): unknown {
  const text = value.toFixed(decimals);
  return typeof before === 'string' ? text : Number(text);
}

function plantId(isBare: boolean, id: string, before: unknown): unknown {
  return isBare || typeof before === 'number' || isRawJson(before) ? rawJson(id) : id;
}

function instantOfMove(move: Extract<Move, { is: 'time' }>, context: MoveContext): number {
  const { nowMs, plant } = context;
  const offsetMs = move.offset_s * 1000;
  if (move.local !== undefined) {
    const [day, hhmm = '00:00'] = move.local.split(' ');
    const today = localDateAt(nowMs, plant.timezone);
    const date = day === 'yesterday' ? addDays(today, -1) : today;
    return instantOf(date, hhmm, plant.timezone) + offsetMs;
  }
  if (move.floor_s === undefined) return nowMs + offsetMs;
  const periodMs = move.floor_s * 1000;
  return Math.floor(nowMs / periodMs) * periodMs + offsetMs;
}

function formatTime(atMs: number, form: TimeForm, timezone: string): unknown {
  switch (form) {
    case 'epoch_ms':
      return atMs;
    case 'epoch_ms_text':
      return String(atMs);
    case 'epoch_s':
      return Math.floor(atMs / 1000);
    case 'epoch_s_text':
      return String(Math.floor(atMs / 1000));
    case 'epoch_s_float':
      return rawJson((atMs / 1000).toFixed(1));
    case 'local_midnight_ms':
      return startOfDayMs(localDateAt(atMs, timezone), timezone);
    default: {
      const [year = '', month = '', day = ''] = localDateAt(atMs, timezone).split('-');
      const minutes = localMinutesAt(atMs, timezone);
      const clock = [Math.floor(minutes / 60), minutes % 60, Math.floor(atMs / 1000) % 60];
      return form
        .replace('yyyy', year)
        .replace('MM', month)
        .replace('dd', day)
        .replace('HH:mm:ss', clock.map((part) => String(part).padStart(2, '0')).join(':'));
    }
  }
}

/**
 * One row for each day that is asked for and has been measured, made after the first row of the fixture: the day of the
 * newest measurement with what it has given so far, those before it with their totals.
 */
function daySeries(move: DaySeriesMove, before: unknown, context: MoveContext): unknown {
  if (!Array.isArray(before) || before[0] === undefined) {
    throw new Error(`a day series needs a first row to copy at ${move.at}`);
  }
  const { plant, measurement, nowMs } = context;
  const measuredOn = localDateAt(measurement.measuredAtMs, plant.timezone);
  const today = localDateAt(nowMs, plant.timezone);
  const left = new Set(move.leave_out.map((day) => namedDay(day, today)));
  const nulls = new Set(move.nulls.map((day) => namedDay(day, today)));
  const zeros = new Set(move.zeros.map((day) => namedDay(day, today)));
  const rows: unknown[] = [];
  for (const date of daysAskedFor(move.days, today, context)) {
    if (date > measuredOn || left.has(date) || (date === today && !move.with_today)) continue;
    const row: Container = { row: copy(before[0]) };
    writeDate(row, move, date, plant.timezone);
    const { parent, key } = locate(row, `/row${move.energy}`);
    const energyKwh = date === measuredOn ? measurement.todayEnergyKwh : dayTotalKwh(plant, date);
    parent[key] = nulls.has(date)
      ? null
      : quantity({ ...move, share: 1 }, parent[key], zeros.has(date) ? 0 : energyKwh);
    rows.push(row['row']);
  }
  return move.newest_first ? rows.reverse() : rows;
}

/** No vendor gives more days in one answer. */
const seriesDaysMax = 400;

function daysAskedFor(
  days: DaySeriesMove['days'],
  today: LocalDate,
  { requestBody, plant }: MoveContext,
): LocalDate[] {
  const asked = (at: string): unknown => {
    const { parent, key } = locate({ body: requestBody }, `/body${at}`);
    return parent[key];
  };
  let from = addDays(today, -7);
  let to = today;
  if (days !== undefined && 'month_of' in days) {
    from = `${dateFrom(asked(days.month_of), plant.timezone).slice(0, 7)}-01`;
    to = addDays(`${addDays(from, 31).slice(0, 7)}-01`, -1);
  } else if (days !== undefined && 'count' in days) {
    to = dateFrom(asked(days.until), plant.timezone);
    from = addDays(to, 1 - Number(asked(days.count)));
  } else if (days !== undefined) {
    from = dateFrom(asked(days.from), plant.timezone);
    to = dateFrom(asked(days.to), plant.timezone);
    if (days.to_exclusive) to = addDays(to, -1);
  }
  if (to > today) to = today;
  const dates: LocalDate[] = [];
  for (let date = from; date <= to && dates.length < seriesDaysMax; date = addDays(date, 1)) {
    dates.push(date);
  }
  return dates;
}

/** A date in a request, in any form that a vendor asks for: "2026-05", "2026-05-01", "05/01/2026", seconds, milliseconds. */
function dateFrom(value: unknown, timezone: string): LocalDate {
  const text = String(value);
  const american = /^(\d\d)\/(\d\d)\/(\d{4})/.exec(text);
  if (american !== null) return `${american[3]}-${american[1]}-${american[2]}`;
  if (/^\d{4}-\d\d-\d\d/.test(text)) return text.slice(0, 10);
  if (/^\d{4}-\d\d$/.test(text)) return `${text}-01`;
  const epoch = Number(text);
  return localDateAt(epoch < 1e11 ? epoch * 1000 : epoch, timezone);
}

/** "-2" counts from today; "month-end" is today when tomorrow is the first, else no day at all. */
function namedDay(day: string, today: LocalDate): LocalDate | null {
  if (day !== 'month-end') return addDays(today, Number(day));
  return addDays(today, 1).endsWith('-01') ? today : null;
}

function writeDate(row: Container, move: DaySeriesMove, date: LocalDate, timezone: string): void {
  if (typeof move.date === 'string') {
    const { parent, key } = locate(row, `/row${move.date}`);
    const atMs = startOfDayMs(date, timezone);
    parent[key] = formatTime(atMs, move.form, move.zone ?? timezone);
    return;
  }
  const [year, month, day] = date.split('-').map(Number);
  for (const [at, part] of [
    [move.date.year, year],
    [move.date.month, month],
    [move.date.day, day],
  ] as const) {
    const { parent, key } = locate(row, `/row${at}`);
    parent[key] = part;
  }
}

function utcOffsetH(atMs: number, timezone: string): number {
  const date = localDateAt(atMs, timezone);
  const wallMs = Date.parse(`${date}T00:00:00Z`) + localMinutesAt(atMs, timezone) * 60_000;
  return (wallMs - Math.floor(atMs / 60_000) * 60_000) / 3_600_000;
}

/** The container of what a JSON pointer (RFC 6901) names, and its key there. The key may be new, the way to it may not. */
function locate(holder: Container, at: string): { parent: Container; key: string } {
  const keys = at
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = keys.pop() ?? '';
  let parent: unknown = holder;
  for (const step of keys) {
    parent =
      typeof parent === 'object' && parent !== null ? (parent as Container)[step] : undefined;
  }
  if (typeof parent !== 'object' || parent === null) {
    throw new Error(`the pointer ${at} leads nowhere`);
  }
  return { parent: parent as Container, key };
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || isRawJson(value)) return value;
  if (Array.isArray(value)) return value.map(copy);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copy(entry)]));
}
