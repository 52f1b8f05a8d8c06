import type { Fixer } from './fixer.ts';
import { createSchedule, schedules } from './fleet-schedule.ts';

/** Creates Schedules that are missing. One that people paused stays paused. */

export interface ScheduleRepair {
  kind: 'CREATE_SCHEDULE';
  schedule: string;
  sentence: string;
}

/** gRPC's code for something that does not exist. */
const grpcNotFound = 5;

export const scheduleFixer: Fixer<ScheduleRepair> = {
  async plan({ temporal }) {
    const repairs: ScheduleRepair[] = [];
    for (const { id } of schedules) {
      try {
        await temporal.workflowService.describeSchedule({
          namespace: temporal.options.namespace,
          scheduleId: id,
        });
      } catch (error) {
        if ((error as { code?: unknown }).code !== grpcNotFound) throw error;
        const sentence = `create the Schedule ${id}`;
        repairs.push({ kind: 'CREATE_SCHEDULE', schedule: id, sentence });
      }
    }
    return repairs;
  },

  async make({ schedule }, { temporal }) {
    const kind = schedules.find(({ id }) => id === schedule);
    return kind !== undefined && createSchedule(temporal, kind);
  },
};
