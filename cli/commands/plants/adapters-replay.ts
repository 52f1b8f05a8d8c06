import { readFile } from 'node:fs/promises';

import { Temporal } from 'temporal-polyfill';

import { RecordingError } from '../../../adapters/clouds/recorded/recording.ts';
import {
  type Replay,
  type ReplayedCall,
  replayRecording,
} from '../../../adapters/clouds/recorded/replay.ts';
import type { Brand } from '../../../domain/plants/plant.ts';
import { type Command, type CommandContext, textFlag, usageError } from '../../command.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { plantFields } from '../../plant-fields.ts';
import { visibleText, writeJson } from '../../render.ts';
import { readFlag } from '../../selection.ts';

/** `heliograph adapters replay`: what an adapter makes of recorded answers. Needs no service; opens nothing but the file. */
export const adaptersReplay: Command = {
  name: 'adapters replay',
  usage: '--brand B --now TIME --timezone ZONE FILE',
  options: { brand: { type: 'string' }, now: { type: 'string' }, timezone: { type: 'string' } },
  async run(context) {
    const { brand, now, timezone, path } = readCall(context);
    const text = await readText(path);
    const replay = await replayText({ brand, now, timezone, text });
    writeJson(context.io, {
      brand,
      now,
      timezone,
      vendor_plant_id: replay.vendorPlantId,
      summary: outcomeJson(replay.summary),
      days: outcomeJson(replay.days),
      alarms: outcomeJson(replay.alarms),
      notes: replay.notes,
    });
    return 'ok' in replay.summary ? exitCodes.done : exitCodes.failed;
  },
};

function readCall(context: CommandContext): {
  brand: Brand;
  now: Date;
  timezone: string;
  path: string;
} {
  const brand = readFlag(context, adaptersReplay, 'brand', plantFields.brand);
  const timezone = readFlag(context, adaptersReplay, 'timezone', plantFields.timezone);
  const now = textFlag(context, 'now');
  const [path, ...more] = context.positionals;
  if (brand === undefined) throw usageError(adaptersReplay, '--brand is missing');
  if (now === undefined) throw usageError(adaptersReplay, '--now is missing');
  if (timezone === undefined) throw usageError(adaptersReplay, '--timezone is missing');
  if (path === undefined || more.length > 0) throw usageError(adaptersReplay, 'name one file');
  return { brand, now: readNow(now), timezone, path };
}

function readNow(text: string): Date {
  try {
    return new Date(Temporal.Instant.from(text).epochMilliseconds);
  } catch {
    throw usageError(
      adaptersReplay,
      `--now must be a time with its zone, such as 2026-06-11T12:00:00Z, not ${text}`,
    );
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    throw new CommandError(
      `${visibleText(path)} cannot be read (${typeof code === 'string' ? code : 'unknown error'})`,
      exitCodes.failed,
      { cause },
    );
  }
}

/** What no call could be made of fails every call alike. */
async function replayText(options: {
  brand: Brand;
  now: Date;
  timezone: string;
  text: string;
}): Promise<Replay | Unreadable> {
  try {
    return await replayRecording(options);
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    const failed = { error: { type: 'NO_RECORDING', message: error.message } } as const;
    return { vendorPlantId: null, summary: failed, days: failed, alarms: failed, notes: [] };
  }
}

interface Unreadable {
  vendorPlantId: null;
  summary: { error: { type: 'NO_RECORDING'; message: string } };
  days: Unreadable['summary'];
  alarms: Unreadable['summary'];
  notes: string[];
}

function outcomeJson(call: ReplayedCall<unknown> | Unreadable['summary']): unknown {
  return 'ok' in call ? snakeCased(call.ok) : call;
}

/** The same value with `todayEnergyKwh` as `today_energy_kwh`, all the way down. */
function snakeCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCased);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCased(entry),
    ]),
  );
}
