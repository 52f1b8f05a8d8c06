import type { Brand } from './plant.ts';
import { clockText, localTimeText } from './wording.ts';
import { localDateAt } from './zone.ts';

/** "HUAWEI not answering since 10:00." by the plant's clock; with brand null: no vendor answers, which is our side. */
export function incidentSentence(
  brand: Brand | null,
  sinceMs: number,
  timezone: string,
  nowMs: number,
): string {
  const isToday = localDateAt(sinceMs, timezone) === localDateAt(nowMs, timezone);
  const since = isToday ? clockText(sinceMs, timezone) : localTimeText(sinceMs, timezone);
  return brand === null
    ? `Our side: no vendor answers since ${since}.`
    : `${brand} not answering since ${since}.`;
}
