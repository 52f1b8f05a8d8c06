import * as z from 'zod';

/** What is read of the vendor's answers. Amounts come as number, text, "" or not at all: `toNumber` tells them apart. */
const amount = z.unknown().optional();

export const envelopeSchema = z.object({
  /** 0 is success; 401 says that the token is gone. */
  code: z.union([z.number(), z.string()]).transform(Number),
  data: z.unknown().optional(),
});

export const tokenSchema = z.object({ token: z.string().min(1) });

export const plantSchema = z.object({
  online: z.boolean().optional(),
  /** kW */
  power: amount,
  /** kWh */
  energyToday: amount,
  /** kWh */
  energyTotal: amount,
  /** Epoch seconds, UTC. */
  measuredAt: amount,
});

/** One row a day: `yyyy-MM-dd` of the plant's zone, kWh. */
export const daysSchema = z.array(z.object({ date: z.iso.date(), energy: amount }));

export const alarmsSchema = z.array(
  z.object({
    code: z.union([z.string(), z.number()]).transform(String),
    device: z.string().optional(),
    /** 1 is the worst. */
    level: amount,
    text: z.unknown().optional(),
    /** Epoch seconds; `endedAt` is 0 or absent while the alarm stands. */
    startedAt: z.number(),
    endedAt: amount,
  }),
);
