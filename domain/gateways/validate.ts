import type { TestTarget } from './definition.ts';
import type { Problem } from './fields.ts';
import {
  canonicalAddress,
  type GatewayDraft,
  type GatewayUnit,
  noQuirks,
  type Quirks,
  usualIntervalS,
} from './gateway.ts';
import { addressProblem, parseAddress, parseNetworks } from './network.ts';
import { textTypes, type UnitPoint } from './point.ts';
import { pointsOfGateway, type Preset } from './preset.ts';
import { nothingLearned, planReads, type ReadRequest } from './read-plan.ts';
import { resolvePoints, type SunSpecLayout } from './sunspec.ts';
import { nearestWord } from '../nearest-word.ts';

/** Says what of a gateway would not work, before it is polled. */

/** How long a request takes where nobody has measured it: a gateway that asks a serial line at 9,600 baud. */
export const assumedRoundTripMs = 100;
/** A poll may take this share of its interval, and never longer than the limit. */
const intervalShare = 0.8;
const pollMaxMs = 10_000;

export interface Budget {
  /** Of one poll. */
  requests: number;
  /** How long they take, with all pauses. */
  neededMs: number;
  /** How long they may take. */
  allowedMs: number;
}

export interface Validation {
  /** What will not work. */
  problems: Problem[];
  /** What works, but perhaps not as people think. */
  warnings: Problem[];
  /** Null where presets are missing. */
  budget: Budget | null;
}

export interface ValidationOptions {
  presets: ReadonlyMap<string, Preset>;
  /** Of one request, ms. */
  roundTripMs?: number;
}

/** Validates one gateway. */
export function validateGateway(
  gateway: GatewayDraft,
  { presets, roundTripMs = assumedRoundTripMs }: ValidationOptions,
): Validation {
  const problems = [...refusedHost(gateway), ...unknownPresets(gateway, presets)];
  const warnings = unusualInterval(gateway);
  if (problems.some(({ code }) => code === 'preset_unknown'))
    return { problems, warnings, budget: null };
  const quirksOf = (unitId: number): Quirks => quirksOfUnit(gateway, unitId);
  for (const [index, unit] of gateway.units.entries()) {
    const points = pointsOfGateway({ units: [unit] }, presets);
    const path = `units[${index}]`;
    if (points.length === 0)
      problems.push({ path, message: 'has no points: nothing would be read', code: 'no_points' });
    problems.push(...unreadablePoints(points, { path, quirks: quirksOf(unit.unitId) }));
    warnings.push(...overlaps(points, path), ...unjudged(points, { path, unit }));
  }
  const budget = budgetOf(gateway, { presets, roundTripMs });
  if (budget.neededMs > budget.allowedMs)
    problems.push({
      path: gateway.units.length === 1 ? 'units[0]' : 'units',
      message: budgetSentence(gateway, budget, roundTripMs),
      code: 'budget_exceeded',
    });
  return { problems, warnings, budget };
}

/** Says why an address would not be tried. */
export function validateTarget(
  { host, preset }: TestTarget,
  presets: ReadonlyMap<string, Preset>,
): Problem[] {
  const unknown = unknownPresets({ units: [{ preset }] }, presets);
  return [...refusedHost({ host }), ...unknown.map((one) => ({ ...one, path: 'preset' }))];
}

/** Every network is open here: which ones are, the process that dials knows. */
const everyNetwork = parseNetworks('0.0.0.0/0,::/0');

function refusedHost({ host }: Pick<GatewayDraft, 'host'>): Problem[] {
  const problem = parseAddress(host) === null ? null : addressProblem(host, everyNetwork);
  return problem === null ? [] : [{ path: 'host', message: problem, code: 'host_invalid' }];
}

function quirksOfUnit(gateway: GatewayDraft, unitId: number): Quirks {
  const unit = gateway.units.find((one) => one.unitId === unitId);
  return { ...noQuirks, ...gateway.quirks, ...unit?.quirks };
}

function unknownPresets(
  { units }: { units: readonly Pick<GatewayUnit, 'preset'>[] },
  presets: ReadonlyMap<string, Preset>,
): Problem[] {
  return units.flatMap(({ preset }, index): Problem[] => {
    if (preset === null || presets.has(preset)) return [];
    const near = nearestWord(preset, [...presets.keys()]);
    const meant = near !== null && near.changes <= 4 ? `did you mean ${near.word}? ` : '';
    return [
      {
        path: `units[${index}].preset`,
        message: `no preset is named ${preset}: ${meant}\`heliograph gateways presets\` lists them`,
        code: 'preset_unknown',
      },
    ];
  });
}

function unusualInterval({ priority, pollIntervalS }: GatewayDraft): Problem[] {
  const { min, max } = usualIntervalS[priority];
  if (pollIntervalS >= min && pollIntervalS <= max) return [];
  return [
    {
      path: 'poll_interval_s',
      message: `${pollIntervalS} s is unusual for the priority ${priority}, which is for ${min} s to ${max} s: change one of them if it is not meant`,
      code: 'interval_unusual',
    },
  ];
}

/** Points that no request can bring under the unit's quirks. */
function unreadablePoints(
  points: readonly UnitPoint[],
  { path, quirks }: { path: string; quirks: Quirks },
): Problem[] {
  const problems: Problem[] = [];
  for (const { key, address, registers, function: code } of points) {
    if (registers > quirks.maxRegisters)
      problems.push({
        path,
        message: `${key} has ${registers} registers, but max_registers is ${quirks.maxRegisters}: a value cannot be read in parts`,
        code: 'point_too_wide',
      });
    const cut = quirks.barriers.find(
      (barrier) =>
        code > 2 && address !== null && barrier >= address && barrier < address + registers,
    );
    if (cut !== undefined)
      problems.push({
        path,
        message: `the barrier ${cut} lies in the registers of ${key} (${address} to ${(address ?? 0) + registers - 1}): it would never be read`,
        code: 'barrier_inside',
      });
  }
  return problems;
}

/** Values that share some of their registers: one of the addresses or types is probably wrong. */
function overlaps(points: readonly UnitPoint[], path: string): Problem[] {
  const wide = points
    .filter(({ address, type, function: code }) => address !== null && code > 2 && type !== 'bit')
    .toSorted((one, other) => (one.address ?? 0) - (other.address ?? 0));
  return wide.flatMap((point, index) =>
    wide.slice(index + 1).flatMap((other): Problem[] => {
      const end = (point.address ?? 0) + point.registers;
      if (other.function !== point.function || (other.address ?? 0) >= end) return [];
      const isSame = other.address === point.address && other.registers === point.registers;
      const isDeliberate = isSame && (other.type === point.type || isBitfield(point, other));
      if (isDeliberate) return [];
      return [
        {
          path,
          message: `${point.key} (${point.type} at ${point.address}) and ${other.key} (${other.type} at ${other.address}) share registers: check their addresses and types`,
          code: 'points_overlap',
        },
      ];
    }),
  );
}

function isBitfield(...points: UnitPoint[]): boolean {
  return points.some(({ type }) => type.startsWith('bitfield') || type.startsWith('enum'));
}

function unjudged(
  points: readonly UnitPoint[],
  { path, unit }: { path: string; unit: GatewayUnit },
): Problem[] {
  const rateless = points.filter(
    ({ kind, maxRatePerHour }) => kind !== 'GAUGE' && maxRatePerHour === null,
  );
  const problems: Problem[] = [];
  if (rateless.length > 0)
    problems.push({
      path,
      message: `how fast ${keysOf(rateless)} may rise is not known, so that a jump is not found: give max_rate_per_hour${unit.capacityKw === null ? ', or capacity_kw of the unit' : ''}`,
      code: 'rate_unknown',
    });
  const open = unit.points.filter(
    ({ range, type, kind }) =>
      range.min === null && range.max === null && kind === 'GAUGE' && isMeasured(type),
  );
  if (open.length > 0)
    problems.push({
      path,
      message: `${keysOf(open)} ${open.length === 1 ? 'has' : 'have'} no range: a value that cannot be right, such as that of a wrong byte order, is not found`,
      code: 'range_unknown',
    });
  return problems;
}

function isMeasured(type: UnitPoint['type']): boolean {
  return !textTypes.has(type) && !/^(bit|enum|sunssf)/.test(type);
}

const keysNamed = 3;

function keysOf(points: readonly { key: string }[]): string {
  const names = points.slice(0, keysNamed).map(({ key }) => key);
  const more = points.length - names.length;
  return more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
}

/** What one poll of a gateway costs by its read plan. */
export function budgetOf(
  gateway: GatewayDraft,
  { presets, roundTripMs = assumedRoundTripMs }: ValidationOptions,
): Budget {
  const points = pointsOfGateway(gateway, presets);
  const resolved = resolvePoints(points, assumedLayouts(points)).points;
  const quirksOf = (unitId: number) => quirksOfUnit(gateway, unitId);
  const { requests } = planReads(resolved, {
    quirksOf,
    learned: nothingLearned,
    nowMs: 0,
  });
  const allowedMs = Math.min(gateway.pollIntervalS * 1_000 * intervalShare, pollMaxMs);
  return {
    requests: requests.length,
    neededMs: durationMs(requests, quirksOf, roundTripMs),
    allowedMs,
  };
}

function durationMs(
  requests: readonly ReadRequest[],
  quirksOf: (unitId: number) => Quirks,
  roundTripMs: number,
): number {
  const each = requests.map(({ unitId }) => roundTripMs + quirksOf(unitId).pauseBetweenRequestsMs);
  const used = [...new Set(requests.map(({ unitId }) => unitId))].map(quirksOf);
  const connects = used.some(({ closeAfterPoll }) => closeAfterPoll);
  const pauseMs = Math.max(0, ...used.map(({ pauseAfterConnectMs }) => pauseAfterConnectMs));
  return each.reduce((sum, ms) => sum + ms, connects ? roundTripMs + pauseMs : 0);
}

/** Where the points of SunSpec models probably are, to count requests: one model after the other. */
function assumedLayouts(points: readonly UnitPoint[]): Map<number, SunSpecLayout> {
  const layouts = new Map<number, SunSpecLayout>();
  for (const { unitId, sunspec, registers } of points) {
    const [place] = sunspec ?? [];
    const id = place?.models[0];
    if (place === undefined || id === undefined) continue;
    const layout = layouts.get(unitId) ?? { base: 40_000, models: [], problems: [] };
    layouts.set(unitId, layout);
    const { block, offset, scaleFactorOffset, occurrence } = place;
    const end =
      Math.max(
        offset + (block?.length ?? 0) * (block?.index ?? 0) + registers,
        scaleFactorOffset ?? 0,
      ) + 1;
    const known = layout.models.filter((model) => model.id === id);
    for (let missing = occurrence + 1 - known.length; missing > 0; missing -= 1)
      layout.models.push({ id, address: 0, length: 0 });
    for (const model of layout.models)
      if (model.id === id) model.length = Math.max(model.length, end);
  }
  for (const { models } of layouts.values()) {
    let address = 40_002;
    for (const model of models) {
      model.address = address;
      address += model.length + 2;
    }
  }
  return layouts;
}

function budgetSentence(
  gateway: GatewayDraft,
  { requests, neededMs, allowedMs }: Budget,
  roundTripMs: number,
): string {
  const pauses = gateway.units.map(
    ({ unitId }) => quirksOfUnit(gateway, unitId).pauseBetweenRequestsMs,
  );
  const pauseMs = Math.max(...pauses);
  const each = `${roundTripMs} ms round trip${pauseMs > 0 ? ` + ${pauseMs} ms pause` : ''}`;
  return `one poll needs ${seconds(neededMs)}: ${requests} requests × (${each}); every ${gateway.pollIntervalS} s it may take ${seconds(allowedMs)}. Poll less often, read fewer points, or shorten the pauses`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`;
}

/** Gateways of one host and port share its socket: what of their polls does not fit together. */
export function sharedBudgets(
  gateways: readonly GatewayDraft[],
  options: ValidationOptions,
): Problem[] {
  const known = gateways.filter((one) => unknownPresets(one, options.presets).length === 0);
  const sockets = Map.groupBy(known, ({ host, port }) => canonicalAddress(host, port));
  return [...sockets].flatMap(([address, sharing]): Problem[] => {
    const share = sharing.reduce(
      (sum, one) => sum + budgetOf(one, options).neededMs / (one.pollIntervalS * 1_000),
      0,
    );
    if (sharing.length === 1 || share <= intervalShare) return [];
    return [
      {
        path: '',
        message: `${sharing.map(({ id }) => id).join(', ')} share the socket of ${address} and would keep it busy for ${Math.round(share * 100)} % of the time; ${intervalShare * 100} % fit. Poll less often`,
        code: 'budget_exceeded',
      },
    ];
  });
}
