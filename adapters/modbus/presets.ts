import { readdirSync, readFileSync } from 'node:fs';

import { parsePreset, type Preset } from '../../domain/gateways/preset.ts';

/** The presets that the product ships: data files, one for each device family. */

const folder = new URL('../../fixtures/gateways/presets/', import.meta.url);
const ending = '.json';

let loaded: ReadonlyMap<string, Preset> | null = null;

/** All presets by name, in alphabetical order; read once. @throws Error that names the file and what is wrong in it. */
export function loadPresets(): ReadonlyMap<string, Preset> {
  loaded ??= new Map(
    readdirSync(folder)
      .filter((file) => file.endsWith(ending))
      .map((file) => file.slice(0, -ending.length))
      .toSorted()
      .map((name) => [name, readPreset(name)]),
  );
  return loaded;
}

function readPreset(name: string): Preset {
  const file = `${name}${ending}`;
  try {
    const preset = parsePreset(JSON.parse(readFileSync(new URL(file, folder), 'utf8')));
    if (preset.name === name) return preset;
    throw new Error(`its name is ${preset.name}`);
  } catch (cause) {
    throw new Error(`the preset ${file} cannot be used: ${(cause as Error).message}`, { cause });
  }
}
