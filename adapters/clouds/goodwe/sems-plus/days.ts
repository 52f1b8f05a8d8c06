import type * as z from 'zod';
import type { LocalDate } from '../../../../domain/zone.ts';
import { invalidFormat } from '../../adapter-error.ts';
import { energyKwhOf } from '../../fields.ts';
import { dateOf } from './local-time.ts';
import { inKwh } from './summary.ts';
import type { daysSchema } from './wire.schema.ts';

/**
 * Energy of each day that the series has a row for, kWh; null: a row without a value. A nought may mean that there are no
 * data.
 *
 * @param item The series to read.
 * @throws AdapterError INVALID_DATA_FORMAT for a row without a date, an impossible energy or an unknown unit.
 */
export function dayEnergies(
  data: z.infer<typeof daysSchema>,
  item: string,
  { from, to }: { from: LocalDate; to: LocalDate },
): Map<LocalDate, number | null> {
  const series = (data?.dataList ?? []).filter((one) => one.item === item);
  const energyByDate = new Map<LocalDate, number | null>();
  for (const { unit, statisticsList } of series) {
    for (const { date: text, val } of statisticsList ?? []) {
      const date = dateOf(text);
      if (date === null) throw invalidFormat('day series: date is no date yyyy-MM-dd');
      // A row of another day is not read: it need not be an energy.
      if (date < from || date > to) continue;
      const energyKwh = inKwh({ data: val, unit }, 'day series');
      energyByDate.set(date, energyKwhOf(energyKwh, 'day series: val'));
    }
  }
  return energyByDate;
}
