import * as z from 'zod';
import { numberOrText } from '../envelope.ts';

/**
 * The parts of SEMS's answers that are used, and nothing else: the portal adds, drops and misspells fields from release to
 * release. One server region sends as text what another sends as a number (AU sends `code` as text), so every number is
 * accepted as either and read by `toNumber`. Infinity too: what is impossible is refused field by field, not here.
 */

/** `data` of a login that gave a token. The fields go back to the vendor in the `Token` header, as they came. */
export const loginSchema = z.object({
  uid: numberOrText,
  timestamp: numberOrText,
  token: z.string().min(1),
  client: numberOrText,
  version: numberOrText,
  language: numberOrText,
  /** Here instead of beside `data` in some answers of 2026. */
  api: z.string().nullish(),
});

/** `data` of a login that gave none. */
export const tokenlessLoginSchema = z.object({ api: z.string().nullish() });

const inverterSchema = z.object({
  sn: numberOrText,
  status: numberOrText,
  /** W. */
  out_pac: numberOrText,
  is_stored: z.unknown().optional(),
  /** kWh; keeps the last day's total while the inverter is away. */
  eday: numberOrText,
  invert_full: z
    .object({
      /** Epoch ms, UTC: the only measurement time in the answer that means the same for every user. */
      last_time: numberOrText,
    })
    .nullish(),
});
export type Inverter = z.infer<typeof inverterSchema>;

/** `data` of GetMonitorDetailByPowerstationId. */
export const detailSchema = z.object({
  info: z.object({
    /** −1 offline, 0 waiting, 1 normal, 2 fault; −2 without devices. */
    status: numberOrText,
  }),
  kpi: z.object({
    /** W. */
    pac: numberOrText,
    /** Misnamed: the energy of today, kWh. */
    power: numberOrText,
    /** Likewise: the lifetime energy, kWh. */
    total_power: numberOrText,
  }),
  inverter: z.array(inverterSchema).nullish(),
  /** Of plants with a meter or a battery: texts such as "2337(W)". Keys are spelt as the vendor spells them. */
  powerflow: z.object({ pv: z.unknown().optional(), bettery: z.unknown().optional() }).nullish(),
});
export type Detail = z.infer<typeof detailSchema>;

/** `data` of QueryPowerStationMonitor. */
export const plantListSchema = z.object({
  /** How many plants there are in all. */
  record: numberOrText,
  list: z.array(z.object({ powerstation_id: z.string().nullish() })),
});

/** `data` of GetPowerStationPowerAndIncomeByDay. */
export const daySeriesSchema = z.array(
  z.object({
    /** MM/dd/yyyy, plant-local. */
    d: z.string(),
    /** kWh. */
    p: numberOrText,
  }),
);

const alarmSchema = z.object({
  stationId: z.string().nullish(),
  devicesn: numberOrText,
  /** Of this record; its type is `error_code`. */
  warningid: numberOrText,
  error_code: numberOrText,
  warning_code: numberOrText,
  warningname: numberOrText,
  warninglevel: numberOrText,
  /** 1 handled, 0 not. */
  status: numberOrText,
  /** MM/dd/yyyy HH:mm:ss, plant-local, as is `recoverytime`, which is "" while the alarm is on. */
  happentime: z.string(),
  recoverytime: z.string().nullish(),
});
export type AlarmRecord = z.infer<typeof alarmSchema>;

/** `data` of GetPowerStationWariningInfoByMultiCondition (sic). */
export const alarmPageSchema = z.object({
  /** How many alarms there are on all pages. */
  record: numberOrText,
  list: z.array(alarmSchema).nullish(),
});
