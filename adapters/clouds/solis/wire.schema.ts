import * as z from 'zod';

/**
 * What is read of SolisCloud's answers; everything else in them is ignored. Amounts come as number, text, null, "", "--" or
 * not at all, so their type is left to `toNumber`, and the unit of each stands beside it: `x`, `xStr`, `xPec`.
 */
const amount = z.unknown().optional();
const label = z.unknown().optional();

export const envelopeSchema = z.object({
  /** Text; "0" is the only one that means success. `success` is true on errors too. */
  code: z.union([z.string(), z.number()]).transform(String),
  msg: z.unknown().optional(),
  data: z.unknown().optional(),
});

/** stationDetail */
export const stationSchema = z.object({
  dataTimestamp: amount,
  /** 1 online, 2 offline, 3 alarm. */
  state: amount,
  power: amount,
  powerStr: label,
  powerPec: amount,
  dayEnergy: amount,
  dayEnergyStr: label,
  dayEnergyPec: amount,
  allEnergy: amount,
  allEnergyStr: label,
  allEnergyPec: amount,
  inverterCount: amount,
});
export type Station = z.infer<typeof stationSchema>;

/** stationMonth: one row a day. */
export const monthSchema = z.array(
  z.object({
    /** The plant's date. `date` beside it is an epoch that is no local midnight, and once was days off. */
    dateStr: z.string().regex(/^\d{4}-\d\d-\d\d/, 'is no date'),
    energy: amount,
    energyStr: label,
    energyPec: amount,
  }),
);
export type Day = z.infer<typeof monthSchema>[number];

/** Paged answers: the table of the manual nests them under `page`, its example of alarmList does not. */
const pageSchema = z.object({
  records: z.array(z.unknown()),
  total: amount,
  size: amount,
  pages: amount,
});
export const pagedSchema = z.union([
  z.object({ page: pageSchema }).transform(({ page }) => page),
  pageSchema,
]);
export type Page = z.infer<typeof pageSchema>;

/** A record of userStationList. */
export const listedPlantSchema = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
});

/** alarmList */
export const alarmSchema = z.object({
  alarmCode: z.unknown().optional(),
  alarmDeviceSn: z.unknown().optional(),
  /** "1" tip, "2" general, "3" emergency. */
  alarmLevel: z.unknown().optional(),
  alarmMsg: z.unknown().optional(),
  alarmBeginTime: amount,
  alarmEndTime: amount,
  /** "0" pending, "1" processed (somebody has looked at it), "2" restored. */
  state: amount,
});
export type Alarm = z.infer<typeof alarmSchema>;

/** inverterList; names in lower case there, in camel case in inverterDetail. */
export const inverterSchema = z.object({
  sn: z.union([z.string(), z.number()]).transform(String),
  state: amount,
  pac: amount,
  pacStr: label,
  pacPec: amount,
  /** 0 where no battery is fitted. */
  batteryPower: amount,
  etoday: amount,
  etodayStr: label,
  etodayPec: amount,
  eToday: amount,
  eTodayStr: label,
  eTodayPec: amount,
  dataTimestamp: amount,
});
export type Inverter = z.infer<typeof inverterSchema>;
