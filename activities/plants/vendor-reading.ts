import type { PlantRef, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { alarmsDue, alarmsSince } from '../../domain/plants/alerts.ts';
import { checkSummary } from '../../domain/plants/energy.ts';
import type { PlantFacts } from '../../domain/plants/facts.ts';
import type { DailyEnergy, Reading, VendorFailure } from '../../domain/plants/reading.ts';
import { addDays, type LocalDate } from '../../domain/zone.ts';
import { vendorFailure } from './vendor.ts';

/** What is asked of a vendor, and in which order. The callers write it. */

/** Limit of devices in a reading, so that it stays small in the workflow's history. No rule judges devices yet. */
const deviceReadingsMax = 20;

/**
 * The checked summary, and the alarms if they are due. If only the alarms fail, the summary still counts.
 *
 * @param at.oldestVendorAlertMs when the oldest active vendor alarm began; null: there is none.
 * @throws whatever the adapter throws for the summary.
 */
export async function readPlant(
  adapter: VendorAdapter,
  ref: PlantRef,
  plant: PlantFacts,
  { oldestVendorAlertMs, nowMs }: { oldestVendorAlertMs: number | null; nowMs: number },
): Promise<Reading | VendorFailure> {
  const summary = checkSummary(await adapter.getPlantSummary(ref), plant, nowMs);
  if ('type' in summary) return summary;
  summary.devices.splice(deviceReadingsMax);
  if (!alarmsDue(plant, adapter.capabilities().alarmIntervalS, nowMs))
    return { summary, alarms: null };
  const since = alarmsSince(plant, oldestVendorAlertMs, nowMs);
  try {
    const answer = await adapter.getAlarmsSince(ref, new Date(since));
    return { summary, alarms: { ...answer, since: new Date(since).toISOString() } };
  } catch (error) {
    const failure = vendorFailure(error);
    if (failure === null) throw error;
    return { summary, alarms: failure };
  }
}

/** The series from the first to the last of the sorted dates, in calls as long as the vendor allows. */
export async function readSeries(
  adapter: VendorAdapter,
  ref: PlantRef,
  dates: readonly LocalDate[],
): Promise<DailyEnergy[]> {
  const [first, last] = [dates[0], dates.at(-1)];
  const series: DailyEnergy[] = [];
  if (first === undefined || last === undefined) return series;
  const { seriesDaysMax } = adapter.capabilities();
  for (let from = first; from <= last; from = addDays(from, seriesDaysMax)) {
    const limit = addDays(from, seriesDaysMax - 1);
    const to = limit < last ? limit : last;
    series.push(...(await adapter.getDailyEnergySeries(ref, from, to)));
  }
  return series;
}
