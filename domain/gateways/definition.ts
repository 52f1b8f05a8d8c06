import {
  type Fields,
  fieldsOf,
  flag,
  integer,
  listOf,
  named,
  natural,
  oneOf,
  type Place,
  positive,
  type Problem,
  type Read,
  refuse,
  text,
} from './fields.ts';
import {
  defaultIntervalS,
  defaultPort,
  type GatewayDraft,
  type GatewayUnit,
  intervalS,
  lengthFaults,
  priorities,
  type Quirks,
} from './gateway.ts';
import type { DataPoint } from './point.ts';
import { pointDefaults, pointJson, pointsOf } from './point-json.ts';

/** FILE.json: the form in which gateways are imported and exported. */

const idPattern = /^[a-z0-9][a-z0-9-]{0,63}$/;
const presetPattern = /^[a-z0-9][a-z0-9-]*$/;
const hostNamePattern =
  /^(?=.{1,253}$)[a-z\d_]([a-z\d_-]{0,61}[a-z\d])?(\.[a-z\d_]([a-z\d_-]{0,61}[a-z\d])?)*\.?$/i;
const pauseMax = 60_000;

export type ParsedGateway =
  | { gateway: GatewayDraft; warnings: Problem[] }
  | { problems: Problem[] };

/** Reads the definition of one gateway. @param json what JSON.parse gave. @returns all problems at once. */
export function parseGateway(json: unknown): ParsedGateway {
  const problems: Problem[] = [];
  const gateway = readGateway(json, { path: '', problems });
  return gateway === undefined ? { problems } : { gateway, warnings: [] };
}

/** Reads one gateway, a list of them, or `{ "gateways": [...] }`. @returns all, or the problems of all. */
export function parseGateways(
  json: unknown,
): { gateways: GatewayDraft[] } | { problems: Problem[] } {
  const problems: Problem[] = [];
  const place = { path: '', problems };
  const gateways = Array.isArray(json)
    ? listOf(readGateway)(json, place)
    : isList(json)
      ? fieldsOf(json, place)?.need('gateways', listOf(readGateway))
      : [readGateway(json, place)];
  const known = (gateways ?? []).filter((one) => one !== undefined);
  const ids = new Set<string>();
  for (const { id } of known) {
    if (ids.has(id))
      problems.push({
        path: 'id',
        message: `${id} occurs twice: give each gateway its own`,
        code: 'id_duplicate',
      });
    ids.add(id);
  }
  return problems.length > 0 ? { problems } : { gateways: known };
}

function isList(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'gateways' in json;
}

function readGateway(json: unknown, place: Place): GatewayDraft | undefined {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const before = place.problems.length;
  const id = fields.need('id', readId);
  const name = fields.take('name', text, id ?? '');
  const host = fields.need('host', readHost);
  const port = fields.take('port', integer(1, 65_535), defaultPort);
  const priority = fields.take('priority', oneOf(priorities), 'NORMAL');
  const usualS = defaultIntervalS[priority ?? 'NORMAL'];
  const pollIntervalS = fields.take('poll_interval_s', readInterval, usualS);
  const gateway = {
    id,
    name,
    host,
    port,
    plantId: fields.take('plant_id', text, null),
    customerId: fields.take('customer_id', text, null),
    pollIntervalS,
    priority,
    quirks: fields.take('quirks', readQuirks, {}),
    units: readUnits(fields),
  };
  fields.end();
  return place.problems.length > before ? undefined : (gateway as GatewayDraft);
}

/** What a person tries before it is a gateway. */
export interface TestTarget {
  host: string;
  port: number;
  unitId: number;
  /** null: the one that fits. */
  preset: string | null;
}

/** Reads an address to try: `{ host, port, unit_id, preset }`. @returns all problems at once. */
export function parseTestTarget(json: unknown): { target: TestTarget } | { problems: Problem[] } {
  const problems: Problem[] = [];
  const fields = fieldsOf(json, { path: '', problems });
  if (fields === undefined) return { problems };
  const target = {
    host: fields.need('host', readHost),
    port: fields.take('port', integer(1, 65_535), defaultPort),
    unitId: fields.need('unit_id', integer(0, 255)),
    preset: fields.take('preset', readPresetName, null),
  };
  fields.end();
  return problems.length > 0 ? { problems } : { target: target as TestTarget };
}

const readId: Read<string> = (json, place) => {
  const id = text(json, place);
  if (id === undefined || idPattern.test(id)) return id;
  return refuse(
    place,
    `must have lower case letters, digits and hyphens, at most 64, such as north-roof, not ${named(json)}`,
  );
};

const readHost: Read<string> = (json, place) => {
  const host = text(json, place);
  if (host === undefined || isHost(host)) return host;
  const hint = /^[a-z]+:\/\//i.test(host)
    ? ': leave out the scheme and what follows the name'
    : /^[^:]+:\d+$/.test(host)
      ? ': give the port in "port"'
      : '';
  return refuse(
    place,
    `must be a host name or an IP address, not ${named(json)}${hint}`,
    'host_invalid',
  );
};

function isHost(host: string): boolean {
  if (/^[\d.]+$/.test(host)) {
    const parts = host.split('.');
    return (
      parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
    );
  }
  if (host.includes(':')) return /^[\da-f:.]+(%\w+)?$/i.test(host) && host.split(':').length > 2;
  return hostNamePattern.test(host);
}

const readInterval: Read<number> = (json, place) =>
  integer(intervalS.min, intervalS.max)(json, place);

const readQuirks: Read<Partial<Quirks>> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const pause = integer(0, pauseMax);
  const quirks = {
    pauseAfterConnectMs: fields.take('pause_after_connect_ms', pause, undefined),
    pauseBetweenRequestsMs: fields.take('pause_between_requests_ms', pause, undefined),
    closeAfterPoll: fields.take('close_after_poll', flag, undefined),
    maxRegisters: fields.take('max_registers', integer(1, 125), undefined),
    maxHole: fields.take('max_hole', integer(0, 124), undefined),
    barriers: fields.take<number[] | undefined>('barriers', listOf(readBarrier), undefined),
    oneRequestPerPoint: fields.take('one_request_per_point', flag, undefined),
    anyTransactionId: fields.take('any_transaction_id', flag, undefined),
    lengthFault: fields.take<Quirks['lengthFault'] | undefined>(
      'length_fault',
      oneOf(lengthFaults),
      undefined,
    ),
  };
  fields.end();
  return Object.fromEntries(Object.entries(quirks).filter(([, value]) => value !== undefined));
};

const readBarrier: Read<number> = (json, place) => {
  const address = natural(json, place);
  return address === undefined || address <= 0xffff
    ? address
    : refuse(place, `must be at most 65535, not ${address}`, 'address_invalid');
};

/** The units; a gateway of one unit may give the unit's fields itself. */
function readUnits(fields: Fields): GatewayUnit[] | undefined {
  const { place } = fields;
  if (!fields.has('units')) {
    if (!fields.has('unit_id'))
      return refuse(
        fields.placeOf('units'),
        'is missing: list the devices behind the gateway, [{ "unit_id": 1, "preset": "sdm630" }]',
        'field_missing',
      );
    const unit = readUnitFields(fields, {});
    return unit === undefined ? undefined : [unit];
  }
  const units = fields.need('units', (json, at) =>
    Array.isArray(json) && json.length === 0
      ? refuse(at, 'must list at least one unit', 'no_points')
      : listOf(readUnit)(json, at),
  );
  const seen = new Map<number, number>();
  for (const [index, { unitId }] of (units ?? []).entries()) {
    const before = seen.get(unitId);
    if (before !== undefined)
      refuse(
        { path: `${fields.placeOf('units').path}[${index}].unit_id`, problems: place.problems },
        `${unitId} is listed twice: put all points of a unit into one entry`,
        'unit_duplicate',
      );
    seen.set(unitId, index);
  }
  return units;
}

const readUnit: Read<GatewayUnit> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const unit = readUnitFields(fields, fields.take('quirks', readQuirks, {}));
  fields.end();
  return unit;
};

function readUnitFields(
  fields: Fields,
  quirks: Partial<Quirks> | undefined,
): GatewayUnit | undefined {
  const unitId = fields.need('unit_id', integer(0, 255));
  const preset = fields.take('preset', readPresetName, null);
  const capacityKw = fields.take('capacity_kw', positive, null);
  const defaults = fields.take('defaults', pointDefaults, {});
  const points = fields.take<DataPoint[]>('points', pointsOf(defaults ?? {}), []);
  if (!fields.has('preset') && !fields.has('points'))
    refuse(fields.place, 'has neither "preset" nor "points": nothing would be read', 'no_points');
  if (unitId === undefined) return undefined;
  return { unitId, preset, quirks, capacityKw, points } as GatewayUnit;
}

const readPresetName: Read<string> = (json, place) => {
  const name = text(json, place);
  if (name === undefined || presetPattern.test(name)) return name;
  return refuse(place, `must be the name of a preset, such as sdm630, not ${named(json)}`);
};

/** A gateway as FILE.json has it: what has its usual value is left out. `parseGateway` gives the same gateway again. */
export function gatewayJson(gateway: GatewayDraft): Record<string, unknown> {
  return {
    id: gateway.id,
    name: gateway.name,
    host: gateway.host,
    port: gateway.port,
    ...(gateway.plantId === null ? {} : { plant_id: gateway.plantId }),
    ...(gateway.customerId === null ? {} : { customer_id: gateway.customerId }),
    poll_interval_s: gateway.pollIntervalS,
    priority: gateway.priority,
    ...quirksJson(gateway.quirks),
    units: gateway.units.map((unit) => ({
      unit_id: unit.unitId,
      ...(unit.preset === null ? {} : { preset: unit.preset }),
      ...(unit.capacityKw === null ? {} : { capacity_kw: unit.capacityKw }),
      ...quirksJson(unit.quirks),
      ...(unit.points.length === 0 && unit.preset !== null
        ? {}
        : { points: unit.points.map(pointJson) }),
    })),
  };
}

/** The quirks that are set, as FILE.json has them; nothing where none is. */
export function quirksJson(quirks: Partial<Quirks>): { quirks?: Record<string, unknown> } {
  const given = Object.entries(quirks).filter(([, value]) => value !== undefined && value !== null);
  if (given.length === 0) return {};
  const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return { quirks: Object.fromEntries(given.map(([name, value]) => [snake(name), value])) };
}
