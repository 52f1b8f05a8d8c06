import { RecordingError } from '../../../adapters/clouds/recorded/recording.ts';
import {
  type Replay,
  type ReplayedCall,
  replayRecording,
} from '../../../adapters/clouds/recorded/replay.ts';
import type { Brand } from '../../../domain/plants/plant.ts';
import { exitCodes } from '../../../environment/config.ts';
import { instant, onePositional, readInputFile, requireFlag } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { plantFields } from '../../plant-fields.ts';
import { snakeCased, writeJson } from '../../render.ts';

/** `heliograph adapters replay`: prints what an adapter makes of recorded answers. It opens the file and no connection. */
export const adaptersReplay: Command = {
  name: 'adapters replay',
  usage: '--brand B --now TIME --timezone ZONE FILE',
  flags: ['brand', 'now', 'timezone'],
  async run(context) {
    const brand = requireFlag(context, 'brand', plantFields.brand);
    const now = requireFlag(context, 'now', instant);
    const timezone = requireFlag(context, 'timezone', plantFields.timezone);
    const text = (await readInputFile(onePositional(context, 'name one file'))).toString();
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

/** A recording that holds no usable call fails all three calls with the same error. */
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
