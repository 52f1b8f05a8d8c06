import type { DeviceFacts } from './facts.ts';
import { median } from './low-generation.ts';
import type { LocalDate } from '../zone.ts';
import type { DeviceReading } from './reading.ts';
import { powerText } from '../wording.ts';
import { addDays } from '../zone.ts';

/**
 * DEVICE_DOWN: one inverter of several gives nothing while the others produce. The siblings are the proof that there is
 * light; a plant with one inverter has none, and is left to LOW_GENERATION.
 */

/** Of the device's own highest power: below it, dawn and dusk decide which inverter still gives anything. */
const siblingsAbovePart = 1 / 10;
/** One poll in which an inverter restarts is no fault. */
const downPollsMin = 3;
/** The highest power is looked for on today and the 7 days before it. */
const peakDays = 7;

/** What a poll says of a plant's devices. */
export interface DecidedDevices {
  /** As they are kept; null: the plant shows fewer than two, and never showed more. */
  devices: readonly DeviceFacts[] | null;
  /** Devices that are down by three fresh polls or more. */
  down: { sn: string; message: string }[];
  /** Devices that give power. */
  producing: string[];
  /** Devices that the vendor has not listed for a week: nobody will see them produce. */
  gone: string[];
}

/**
 * Judges the devices of one answered poll.
 *
 * @param readings as answered; fewer than two leave what is known as it is: some vendors tell of devices apart.
 * @param isFresh the plant's measurement is newer than the last poll's. Any other answer repeats what was judged already.
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
  /** null: the answer says nothing new of it. */
  gives: 'POWER' | 'NOTHING' | null;
}

function look(
  reading: DeviceReading,
  before: DeviceFacts | null,
  today: LocalDate,
  from: LocalDate,
): Seen {
  const measuredAtMs = reading.measuredAt === null ? null : Date.parse(reading.measuredAt);
  // A value of an earlier measurement is not this poll's; a vendor that states no time is believed.
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
      // A day on which it was listed counts, even without power: it is still there.
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

/** The device with its row of polls in which it was down; and what that says, where this poll continues it. */
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

/** Its own highest power; of a device that gave none in all these days, what its siblings have at most, by their median. */
function usualPeakW(facts: DeviceFacts, siblings: readonly Seen[]): number {
  const peakOf = ({ peaksW }: DeviceFacts) => Math.max(0, ...Object.values(peaksW));
  const own = peakOf(facts);
  return own > 0 ? own : (median(siblings.map((other) => peakOf(other.facts))) ?? 0);
}
