import { countOutcomes, listPlantGauges } from '../../db/plants/polling.ts';
import { statuses } from '../../domain/plants/plant.ts';
import { type Fact, valueOf } from '../../operations/diagnosis.ts';
import { lateness, pulse } from '../../operations/plants/figures.ts';
import type { GaugeReading } from '../system/metrics.ts';

/** Window in which outcomes are counted, ms. */
const outcomesMs = 5 * 60_000;

/** The gauges of plants, read from PostgreSQL. They hold ids, brands, colours and ages, but no names, people or secrets. */
export const plantGauges: Fact<GaugeReading[]> = async ({ db, clock }, look) => {
  const nowMs = clock();
  const [polling, late, plants, outcomes] = await Promise.all([
    look(pulse),
    look(lateness),
    listPlantGauges(db),
    countOutcomes(db, nowMs - outcomesMs),
  ]);
  const { active, unpolled, oldestDueAt } = valueOf(polling);
  const lateMs = valueOf(late);
  const secondsSince = (at: Date) => Math.max(0, nowMs - at.getTime()) / 1_000;
  return [
    {
      name: 'oldest_due_slot_age_seconds',
      help: 'Age of the oldest slot that is due and has no ledger row yet, of all plants.',
      values: [[{}, oldestDueAt === null ? 0 : secondsSince(oldestDueAt)]],
    },
    { name: 'plants_active', help: 'ACTIVE plants.', values: [[{}, active]] },
    {
      name: 'plants_unpolled',
      help: 'ACTIVE plants that were not polled for 2 intervals + 1 min.',
      values: [[{}, unpolled]],
    },
    {
      name: 'plants',
      help: 'Plants by colour.',
      values: statuses.map((status) => [
        { status },
        plants.filter((plant) => plant.status === status).length,
      ]),
    },
    {
      name: 'plant_status',
      help: '1: the colour that the plant has.',
      values: plants.map(({ id, brand, status }) => [{ plant: id, brand, status }, 1]),
    },
    {
      name: 'plant_last_seen_age_seconds',
      help: 'Since the newest measurement that is known; absent for a plant that was never seen.',
      values: plants.flatMap(({ id, brand, last_seen_at: at }) =>
        at === null ? [] : [[{ plant: id, brand }, secondsSince(at)]],
      ),
    },
    {
      name: 'polls_5m',
      help: 'Ledger rows of the last 5 minutes by outcome.',
      values: Object.entries(outcomes).map(([outcome, count]) => [{ outcome }, count]),
    },
    {
      name: 'poll_late_1h_seconds',
      help: 'How long after their slots the scheduled polls of the last hour began.',
      values:
        lateMs === null
          ? []
          : [
              [{ quantile: '0.5' }, lateMs.p50 / 1_000],
              [{ quantile: '0.99' }, lateMs.p99 / 1_000],
            ],
    },
  ];
};
