import * as z from 'zod';
import { numberOrText } from '../envelope.ts';

/** The parts of SEMS+'s answers that are used, and nothing else. Numbers come as numbers or as text. */

/** `data` of a login that gave a token; all of `data` goes back in the header `Token`. */
export const loginSchema = z.object({
  uid: numberOrText,
  token: z.string().min(1),
  /** Where further calls go. */
  api: z.string().nullish(),
});

const listedPlantSchema = z.object({
  id: numberOrText,
  /** kWh that left the inverters. How current they are is not known. */
  productionToday: numberOrText,
  productionTotal: numberOrText,
});
export type ListedPlant = z.infer<typeof listedPlantSchema>;

/** `data` of portal/stations/page. */
export const plantListSchema = z.object({
  /** How many plants there are in all. */
  total: numberOrText,
  dataList: z.array(listedPlantSchema),
});

/** `data` of stations/flow; empty for plants without a measurement, and for plants of other accounts. */
export const flowSchema = z
  .object({
    id: numberOrText,
    /** 0 offline, 1 running, 2 fault, 3 waiting, 11 under construction. */
    status: numberOrText,
    /** Power of the panels, kW. (`pAc` has the battery's in it.) */
    pSystem: numberOrText,
    /** Power of the battery, kW; above 0 it discharges. */
    pBat: numberOrText,
    /** yyyy-MM-ddTHH:mm:ss, plant-local. */
    refreshTime: numberOrText,
  })
  .nullish();
export type Flow = NonNullable<z.infer<typeof flowSchema>>;

const deviceSchema = z.object({ sn: numberOrText, status: numberOrText });

/** `data` of stations/device/all-status: devices by type and state, each by its serial number. */
export const devicesSchema = z
  .object({
    deviceDetailList: z
      .array(
        z.object({
          deviceType: z.string(),
          statusDetailList: z
            .array(
              z.object({
                status: numberOrText,
                detailMap: z.record(z.string(), deviceSchema).nullish(),
              }),
            )
            .nullish(),
        }),
      )
      .nullish(),
  })
  .nullish();
export type Devices = z.infer<typeof devicesSchema>;

const factorSchema = z.object({
  code: z.string(),
  /** Absent: no value. */
  data: numberOrText,
  unit: z.string().nullish(),
});
export type Factor = z.infer<typeof factorSchema>;

/** `data` of equipments/<sn>/telecounting: counters in groups. */
export const countersSchema = z
  .array(z.object({ factors: z.array(factorSchema).nullish() }))
  .nullish();
export type Counters = z.infer<typeof countersSchema>;

/** `data` of stations/statistics. */
export const daysSchema = z
  .object({
    dataList: z
      .array(
        z.object({
          item: z.string(),
          unit: z.string().nullish(),
          statisticsList: z
            .array(
              z.object({
                /** yyyy-MM-dd, plant-local. */
                date: z.string(),
                val: numberOrText,
              }),
            )
            .nullish(),
        }),
      )
      .nullish(),
  })
  .nullish();

const pointSchema = z.object({
  /** yyyy-MM-dd HH:mm:ss, plant-local. */
  tp: z.string(),
  /** kW; null where nothing was measured. */
  power: numberOrText,
});

/** `data` of v1/hems/power/statisticsAndPreV2; the points were recorded under two names. */
export const curveSchema = z
  .object({
    dataList: z
      .array(
        z.object({
          item: z.string(),
          powerData: z.array(pointSchema).nullish(),
          statisticsList: z.array(pointSchema).nullish(),
        }),
      )
      .nullish(),
  })
  .nullish();
export type Curve = z.infer<typeof curveSchema>;

const alarmSchema = z.object({
  stationId: z.string().nullish(),
  devicesn: numberOrText,
  /** The type: "E-G3-0-12". */
  warning_code: numberOrText,
  /** A bit of the inverter's error word: "4096". */
  error_code: numberOrText,
  /** The words; `warningname` is the key of a translation. */
  warningNameEn: numberOrText,
  warningname: numberOrText,
  /** "Total_FaultLevel_Prompt", "…_alarm", "…_Fault". */
  alarmLevel: numberOrText,
  /** 0 occurring, 1 recovered. */
  status: numberOrText,
  /** Epoch ms, UTC; `recoverytime` is null while the alarm is on. */
  happentime: numberOrText,
  recoverytime: numberOrText,
});
export type PlusAlarm = z.infer<typeof alarmSchema>;

/** `data` of v2/alarm/page. */
export const alarmPageSchema = z.object({
  /** How many alarms there are on all pages. */
  total: numberOrText,
  dataList: z.array(alarmSchema).nullish(),
});
