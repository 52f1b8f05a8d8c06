import type { PlantRef, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { alarmsDue, alarmsSince } from '../../domain/plants/alerts.ts';
import { checkSummary } from '../../domain/plants/energy.ts';
import type { PlantFacts } from '../../domain/plants/facts.ts';
import type { LocalDate } from '../../domain/zone.ts';
import type { DailyEnergy, Reading, VendorFailure } from '../../domain/plants/reading.ts';
import { addDays } from '../../domain/zone.ts';
import { vendorFailure } from './vendor.ts';

/** What is asked of a vendor, and in which order; where it is written is for the callers. */

/** A reading stays small in the history: a plant's larger number of devices is not judged yet. */
const deviceReadingsMax = 20;

/**
 * The summary, checked, and the alarms where they are due. A failure of the alarms alone leaves the summary standing.
 *
 * @param oldestVendorAlertMs when the oldest active vendor alarm began; null without one.
 * @throws whatever the adapter throws for the summary.
 */
export async function readPlant(
  adapter: VendorAdapter,
  ref: PlantRef,
  plant: PlantFacts,
  oldestVendorAlertMs: number | null,
  nowMs: number,
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

/** The series over the span of the dates, which come in order, in calls as long as the vendor allows. */
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
