import type { DeviceFacts } from './facts.ts';
import { median } from './low-generation.ts';
import type { LocalDate } from '../zone.ts';
import type { DeviceReading } from './reading.ts';
import { powerText } from '../wording.ts';
import { addDays } from '../zone.ts';

/**
 * DEVICE_DOWN: one inverter of several gives nothing while the others produce. The siblings prove that there is light. A
 * plant with one inverter has no siblings; LOW_GENERATION covers it.
 */

/** Share of the device's own highest power. Below it, at dawn and dusk, some inverters give nothing without a fault. */
const siblingsAbovePart = 1 / 10;
/** An inverter that restarts misses one poll; that is no fault. */
const downPollsMin = 3;
/** The highest power is taken from today and the 7 days before. */
const peakDays = 7;

/** A poll's findings about a plant's devices. */
export interface DecidedDevices {
  /** As stored; null: the plant shows fewer than two, and never showed more. */
  devices: readonly DeviceFacts[] | null;
  /** Devices that were down in three or more fresh polls in a row. */
  down: { sn: string; message: string }[];
  /** Devices that give power. */
  producing: string[];
  /** Devices that the vendor has not listed for a week: no poll will see them produce again. */
  gone: string[];
}

/**
 * Judges the devices of one answered poll.
 *
 * @param readings as answered; fewer than two change nothing, because some vendors list devices in another answer.
 * @param isFresh the plant's measurement is newer than the last poll's. Any other answer repeats one that was judged already.
 */
export function decideDevices(
  before: readonly DeviceFacts[] | null,
  readings: readonly DeviceReading[],
  { today, isFresh }: { today: LocalDate; isFresh: boolean },
): DecidedDevices {
  const none = { down: [], producing: [], gone: [] };
  if (readings.length < 2 || !isFresh) return { devices: before, ...none };
  const from = addDays(today, -peakDays);
  const known = new Map(before?.map((device) => [device.sn, device]));
  const seen = readings.map((reading) => look(reading, known.get(reading.sn) ?? null, today, from));
  const listed = new Set(readings.map(({ sn }) => sn));
  const unlisted = (before ?? [])
    .filter(({ sn }) => !listed.has(sn))
    .map((device) => ({ ...device, downStreak: 0, peaksW: recent(device.peaksW, from) }));
  const gone = unlisted.filter(({ peaksW }) => Object.keys(peaksW).length === 0);
  const judged = seen.map((device) => judge(device, seen));
  return {
    devices: [
      ...judged.map(({ facts }) => facts),
      ...unlisted.filter((device) => !gone.includes(device)),
    ],
    down: judged.flatMap(({ facts, message }) =>
      message !== null && facts.downStreak >= downPollsMin ? [{ sn: facts.sn, message }] : [],
    ),
    producing: seen.filter(({ gives }) => gives === 'POWER').map(({ facts }) => facts.sn),
    gone: gone.map(({ sn }) => sn),
  };
}

interface Seen {
  facts: DeviceFacts;
  /** null: the answer has nothing new about it. */
  gives: 'POWER' | 'NOTHING' | null;
}

function look(
  reading: DeviceReading,
  before: DeviceFacts | null,
  today: LocalDate,
  from: LocalDate,
): Seen {
  const measuredAtMs = reading.measuredAt === null ? null : Date.parse(reading.measuredAt);
  // A value of an earlier measurement does not count for this poll; a value without a time does.
  const isOld =
    measuredAtMs !== null && before?.measuredAtMs != null && measuredAtMs <= before.measuredAtMs;
  const powerW = isOld ? null : reading.powerW;
  const gives = givesOf(reading, powerW);
  const peaksW = recent(before?.peaksW ?? {}, from);
  const peakW = gives === 'POWER' ? (powerW ?? 0) : 0;
  return {
    facts: {
      sn: reading.sn,
      powerW: reading.powerW,
      todayEnergyKwh: reading.todayEnergyKwh,
      state: reading.state,
      measuredAtMs,
      // A day on which it was listed counts, even without power: the device still exists.
      peaksW: { ...peaksW, [today]: Math.max(peaksW[today] ?? 0, peakW) },
      downStreak: before?.downStreak ?? 0,
    },
    gives,
  };
}

function givesOf({ state }: DeviceReading, powerW: number | null): Seen['gives'] {
  if (state === 'OFFLINE') return 'NOTHING';
  if (powerW === null) return null;
  return powerW > 0 ? 'POWER' : 'NOTHING';
}

function recent(
  peaksW: Readonly<Record<LocalDate, number>>,
  from: LocalDate,
): Record<LocalDate, number> {
  return Object.fromEntries(Object.entries(peaksW).filter(([date]) => date >= from));
}

/** The device with its number of polls in a row in which it was down, and the finding if this poll continues them. */
function judge(device: Seen, all: readonly Seen[]): { facts: DeviceFacts; message: string | null } {
  const { facts, gives } = device;
  if (gives === null) return { facts, message: null };
  const siblings = all.filter((other) => other !== device);
  const told = siblings.filter((other) => other.gives !== null);
  const siblingsW = median(
    told.map((other) => (other.gives === 'POWER' ? (other.facts.powerW ?? 0) : 0)),
  );
  const isLight = siblingsW !== null && siblingsW > siblingsAbovePart * usualPeakW(facts, siblings);
  if (gives === 'POWER' || !isLight) return { facts: { ...facts, downStreak: 0 }, message: null };
  const downStreak = facts.downStreak + 1;
  const what = facts.state === 'OFFLINE' ? 'is offline' : 'gives 0 W';
  const message = `Device ${facts.sn} ${what} while the others give ${powerText(siblingsW)} (their median), by ${downStreak} polls in a row.`;
  return { facts: { ...facts, downStreak }, message };
}

/** Its own highest power, W; for a device that gave none in all these days, the median of its siblings' highest power. */
function usualPeakW(facts: DeviceFacts, siblings: readonly Seen[]): number {
  const peakOf = ({ peaksW }: DeviceFacts) => Math.max(0, ...Object.values(peaksW));
  const own = peakOf(facts);
  return own > 0 ? own : (median(siblings.map((other) => peakOf(other.facts))) ?? 0);
}
