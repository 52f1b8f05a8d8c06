import type { DataPoint } from './point.ts';

/** Presets: named lists of data points for a device family. They are data files; this is their form. */

export interface Preset {
  /** Lower case letters, digits and hyphens: the name of its file. */
  name: string;
  /** For people: the devices that it fits. */
  title: string;
  /** Where the addresses come from. */
  source: string;
  /** What a technician should know: usual unit id, pauses that some devices need; null: nothing. */
  notes: string | null;
  points: readonly DataPoint[];
  samples: readonly PresetSample[];
}

/** Registers as a device answers them, with the right values: the preset's test. */
export interface PresetSample {
  title: string;
  /** Answers of reads; hex digits in words. */
  registers: readonly { function: 1 | 2 | 3 | 4; address: number; hex: string }[];
  /** By the points' keys; null: the value is not offered. */
  values: Readonly<Record<string, number | string | null>>;
}
