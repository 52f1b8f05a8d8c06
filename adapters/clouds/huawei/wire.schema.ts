import * as z from 'zod';

/**
 * What is read of Huawei's answers (NetEco northbound "thirdData"); everything else in them is tolerated. Numbers may come
 * as number or as text and are read with `toNumber`, so they are `unknown` here.
 */

/** Plant and device ids: text ("NE=35436844", 32 hex digits), or a whole number that may be negative or longer than 15 digits. */
const idText = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((id) => id !== '', { error: 'is empty' });

/** An id that a row may lack: absent, null, and "" are all seen. */
const optionalId = z.union([z.literal('').transform(() => null), idText]).nullish();

const anything = z.unknown().optional();

/** KPI values by name; absent, null and `{}` are all seen (loggers, devices asleep). */
const dataItemMap = z
  .record(z.string(), z.unknown())
  .nullish()
  .transform((map) => map ?? {});

/**
 * Every answer of the application. `failCode` 0 is success; `success` is absent from some refusals and is not looked at.
 * `data` holds the text of a 407.
 */
export const envelopeSchema = z.object({
  failCode: z.union([z.number(), z.string().regex(/^\d+$/)]).transform(Number),
  data: anything,
});

/** A refusal by what stands before the application: the REST framework (`exceptionId`) or the quota gateway (`errorCode`). */
export const gatewayRefusalSchema = z.object({ exceptionId: anything, errorCode: anything });

/** getStationRealKpi: no power, no measurement time; energies in kWh in spite of their names. */
export const stationRealKpiSchema = z.array(z.object({ stationCode: idText, dataItemMap }));

/** getDevList. Only inverters need an id here, so that a nameless accessory breaks nothing. */
export const deviceListSchema = z.array(
  z.object({
    id: optionalId,
    devTypeId: anything,
    esnCode: anything,
    devName: anything,
    stationCode: optionalId,
  }),
);

/** getDevRealKpi. The unit of `active_power` depends on the device type: kW for types 1 and 38. Newer accounts leave `devId` out. */
export const deviceRealKpiSchema = z.array(
  z.object({ devId: optionalId, sn: anything, esnCode: anything, dataItemMap }),
);

/** getKpiStationDay: one row a day of the whole month, `collectTime` = ms of plant-local midnight, plants mixed. */
export const stationDaySchema = z.array(
  z.object({ stationCode: idText, collectTime: anything, dataItemMap }),
);

/** getAlarmList: current alarms, without an end time. `alarmId` is the type of alarm, not an instance. */
export const alarmListSchema = z.array(
  z.object({
    alarmId: idText,
    alarmName: anything,
    alarmCause: anything,
    devName: anything,
    esnCode: anything,
    stationCode: optionalId,
    lev: anything,
    status: anything,
    raiseTime: anything,
  }),
);

export type WireItems = z.infer<typeof dataItemMap>;
export type WireDevice = z.infer<typeof deviceListSchema>[number];
export type WireLiveRow = z.infer<typeof deviceRealKpiSchema>[number];
export type WireDayRow = z.infer<typeof stationDaySchema>[number];
export type WireAlarm = z.infer<typeof alarmListSchema>[number];
