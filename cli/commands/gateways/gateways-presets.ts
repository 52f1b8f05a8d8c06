import { loadPresets } from '../../../adapters/modbus/presets.ts';
import type { DataPoint } from '../../../domain/gateways/point.ts';
import { pointJson } from '../../../domain/gateways/point-json.ts';
import type { Preset } from '../../../domain/gateways/preset.ts';
import { nearestWord } from '../../../domain/nearest-word.ts';
import { CommandError, exitCodes } from '../../../environment/config.ts';
import { type Command, usageError } from '../../command.ts';
import { nothing, outputWidth, print, visibleText } from '../../render.ts';
import { factsText, right, tableText } from '../../table.ts';

export const gatewaysPresets: Command = {
  name: 'gateways presets',
  usage: '[NAME]',
  async run(context) {
    const [name, ...more] = context.positionals;
    if (more.length > 0) throw usageError(context, 'name one preset, or none to list all');
    const presets = loadPresets();
    const width = outputWidth(context.io);
    if (name === undefined) {
      const all = [...presets.values()];
      print(context, all.map(summary), () => listText(all, width));
      return;
    }
    const preset = presets.get(name);
    if (preset === undefined) {
      const near = nearestWord(name, [...presets.keys()])?.word ?? '';
      throw new CommandError(
        `no preset is named ${visibleText(name)}: did you mean ${near}?`,
        exitCodes.failed,
      );
    }
    const { source, notes, points } = preset;
    const json = { ...summary(preset), source, notes, points: points.map(pointJson) };
    print(context, json, () => presetText(preset, width));
  },
};

function summary({ name, title, points }: Preset) {
  return { name, title, point_count: points.length };
}

function listText(presets: readonly Preset[], width: number): string {
  const rows = presets.map(({ name, title, points }) => [name, String(points.length), title]);
  return tableText(['PRESET', ...right('POINTS'), 'DEVICES'], rows, width);
}

function presetText(preset: Preset, width: number): string {
  const { name, title, source, notes, points } = preset;
  const facts = factsText([
    ['Preset', name],
    ['Devices', title],
    ['Source', source],
    ['Notes', notes],
  ]);
  const rows = points.map((point) => [
    point.key,
    String(point.function),
    placeText(point),
    point.type,
    point.order,
    String(point.scale),
    point.unit ?? nothing,
    point.kind,
    rangeText(point),
  ]);
  const columns = [
    'KEY',
    'FC',
    ...right('ADDRESS'),
    'TYPE',
    'ORDER',
    ...right('SCALE'),
    'UNIT',
    'KIND',
    'RANGE',
  ];
  return `${facts}\n${tableText(columns, rows, width)}`;
}

/** "52", or where SunSpec has the point: "103+14". */
function placeText({ address, sunspec }: DataPoint): string {
  if (address !== null) return String(address);
  return (sunspec ?? []).map(({ models, offset }) => `${models[0]}+${offset}`).join(' ');
}

function rangeText({ range: { min, max } }: DataPoint): string {
  return min === null && max === null ? nothing : `${min ?? ''} … ${max ?? ''}`;
}
