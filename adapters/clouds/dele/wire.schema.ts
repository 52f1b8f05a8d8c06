import * as z from 'zod';
import { toNumber } from '../fields.ts';

/**
 * What is read of DeyeCloud's answers; everything else in them is tolerated. Fields stand at the top level, beside `code`,
 * `msg`, `success` and `requestId`. Numbers may come as number or as text and are read with `toNumber`, so they are
 * `unknown` here.
 */

const anything = z.unknown().optional();

/** Text, or a number that is kept digit for digit. */
const idText = z
  .union([z.string(), z.number()], { error: 'is missing or no id' })
  .transform((id) => String(id).trim())
  .refine((id) => id !== '', { error: 'is empty' });

/** `{ total, <key>: [...] }`. A list that is null or absent is an empty one only where `total` says so too. */
function listAnswer<K extends string, Row extends z.ZodType>(key: K, row: Row) {
  const list = z.array(row).nullish();
  const shape = { total: anything, [key]: list } as { total: typeof anything } & Record<
    K,
    typeof list
  >;
  return z.object(shape).check(({ value, issues }) => {
    const answer = value as { total?: unknown } & Record<string, unknown>;
    if ((answer[key] ?? null) !== null || toNumber(answer.total) === 0) return;
    issues.push({ code: 'custom', path: [key], message: 'is missing', input: answer });
  });
}

/**
 * What every answer may say of itself. `code` is text ("1000000"), null in the Solarman variant, words in the token
 * service's errors (there also in `error`); `status` and `exception` are those of a Spring error body.
 */
export const envelopeSchema = z.object({
  code: anything,
  success: anything,
  error: anything,
  status: anything,
  exception: anything,
});
export type WireEnvelope = z.infer<typeof envelopeSchema>;

export const tokenSchema = z.object({ accessToken: z.string().trim().min(1) });

/** /station/latest: W and epoch seconds, any of them null. An answer with neither field is none. */
export const stationLatestSchema = z
  .object({
    generationPower: anything,
    lastUpdateTime: anything,
    connectionStatus: anything,
  })
  .refine((latest) => latest.generationPower !== undefined || latest.lastUpdateTime !== undefined, {
    error: 'holds neither generationPower nor lastUpdateTime',
  });
export type WireLatest = z.infer<typeof stationLatestSchema>;

const calendarNumber = z
  .unknown()
  .transform((value) => toNumber(value))
  .pipe(z.int({ error: 'is missing or no whole number' }));

/** kWh, or null. A row without the key at all is not the row that is known. */
const energy = z.unknown().refine((value) => value !== undefined, { error: 'is missing' });

/** /station/history with granularity 2: one row a plant-local day, named by its parts alone. */
export const dayHistorySchema = listAnswer(
  'stationDataItems',
  z.object({
    year: calendarNumber,
    month: calendarNumber,
    day: calendarNumber,
    generationValue: energy,
  }),
);

/** /station/history with granularity 3. */
export const monthHistorySchema = listAnswer(
  'stationDataItems',
  z.object({ year: calendarNumber, month: calendarNumber, generationValue: energy }),
);

/** /station/list, as far as the connection test needs it. */
export const stationListSchema = listAnswer('stationList', z.unknown());

/** /station/device: loggers, inverters, meters and batteries of the plants that were asked for. */
export const stationDeviceSchema = listAnswer(
  'deviceListItems',
  z.object({
    deviceSn: anything,
    deviceType: anything,
    connectStatus: anything,
    collectionTime: anything,
  }),
);
export type WireDevice = NonNullable<
  z.infer<typeof stationDeviceSchema>['deviceListItems']
>[number];

/** /device/latest: measurements by key, each with the unit that this model gives it in. */
export const deviceLatestSchema = z.object({
  deviceDataList: z.array(
    z.object({
      deviceSn: anything,
      deviceState: anything,
      collectionTime: anything,
      dataList: z.array(z.object({ key: anything, value: anything, unit: anything })).nullish(),
    }),
  ),
});
export type WireDeviceData = z.infer<typeof deviceLatestSchema>['deviceDataList'][number];

/**
 * /station/alertList in the vendor's own form. Two other forms circulate (`alertLevel` "WARN" with `alertMsg`; levels 1 to
 * 4): they lack `level` or exceed it, and are refused rather than guessed at.
 */
export const alertListSchema = listAnswer(
  'stationAlertItems',
  z.object({
    alertCode: idText,
    alertName: anything,
    description: anything,
    deviceSn: anything,
    level: z
      .unknown()
      .transform(toNumber)
      .pipe(z.literal([0, 1, 2], { error: 'is none of 0, 1, 2' })),
    impact: anything,
    alertStartTime: anything,
    alertEndTime: anything,
    status: z
      .unknown()
      .transform(toNumber)
      .pipe(z.literal([0, 1], { error: 'is neither 0 nor 1' })),
  }),
);
export type WireAlert = NonNullable<z.infer<typeof alertListSchema>['stationAlertItems']>[number];
