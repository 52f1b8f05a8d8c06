import { documentedAddress } from './documented-address.ts';
import {
  type Fields,
  fieldsOf,
  integer,
  listOf,
  named,
  natural,
  number,
  oneOf,
  type Place,
  positive,
  type Read,
  refuse,
  text,
} from './fields.ts';
import {
  type AddressNotation,
  addressNotations,
  type ByteOrder,
  byteOrders,
  type DataPoint,
  type PointKind,
  type PointType,
  pointTypes,
  type ReadFunction,
  registersOf,
  type Sentinel,
  type SunSpecPlace,
  textTypes,
} from './point.ts';
import { sunSpecSentinels } from './sunspec.ts';

/** Data points as JSON, in definitions of gateways and in presets. */

const keyPattern = /^[a-z][a-z0-9_]{0,59}$/;
const addressEnd = 0x1_0000;
/** Longest text of one request. */
const stringRegistersMax = 125;
const bcdRegistersMax = 4;

const pointKinds = ['GAUGE', 'COUNTER', 'DAILY'] as const satisfies readonly PointKind[];

const typeNames: Readonly<Record<string, PointType>> = {
  i16: 'int16',
  s16: 'int16',
  u16: 'uint16',
  i32: 'int32',
  s32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  s64: 'int64',
  u64: 'uint64',
  f32: 'float32',
  f64: 'float64',
  float: 'float32',
  double: 'float64',
  count: 'uint16',
  raw16: 'uint16',
  str: 'string',
  bool: 'bit',
  coil: 'bit',
};

/** Names of orders for 16 and for 64 bits that say the same as one of ours. */
const orderNames: Readonly<Record<string, ByteOrder>> = {
  AB: 'ABCD',
  BA: 'BADC',
  ABCDEFGH: 'ABCD',
  GHEFCDAB: 'CDAB',
  BADCFEHG: 'BADC',
  HGFEDCBA: 'DCBA',
};

/** What people mean who use these words; they are too loose to be taken for it. */
const orderHints: readonly (readonly [RegExp, ByteOrder])[] = [
  [/^(big|be|msb|1234|normal|none|network|high)/i, 'ABCD'],
  [/(mid.?little|byte.?swap.?little|word|low|lsw|3412|swap)/i, 'CDAB'],
  [/(mid.?big|byte|2143)/i, 'BADC'],
  [/^(little|le|lsb|4321|reverse)/i, 'DCBA'],
];

const functionNames: Readonly<Record<string, ReadFunction>> = {
  coil: 1,
  coils: 1,
  discrete: 2,
  discrete_input: 2,
  discrete_inputs: 2,
  holding: 3,
  holding_register: 3,
  holding_registers: 3,
  input: 4,
  input_register: 4,
  input_registers: 4,
};

/** Fields that a list of points may give once for all its points. */
const sharedFields = [
  'function',
  'notation',
  'type',
  'order',
  'kind',
  'unit',
  'scale',
  'sentinels',
];

/** The fields that the points of a list share, as JSON. */
export const pointDefaults: Read<Record<string, unknown>> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  for (const name of sharedFields) fields.has(name);
  fields.end();
  return json as Record<string, unknown>;
};

/** A list of points. @param defaults fields of every point that does not give them itself. */
export function pointsOf(defaults: Readonly<Record<string, unknown>>): Read<DataPoint[]> {
  return (json, place) => {
    const points = listOf((one, at) => readPoint(one, at, defaults))(json, place);
    const keys = new Map<string, number>();
    for (const [index, point] of (Array.isArray(json) ? json : []).entries()) {
      const key = (point as { key?: unknown } | null)?.key;
      if (typeof key !== 'string') continue;
      const before = keys.get(key);
      const at = { path: `${place.path}[${index}].key`, problems: place.problems };
      if (before === undefined) keys.set(key, index);
      else
        refuse(
          at,
          `${key} is also the key of ${place.path}[${before}]: give each point of a unit its own`,
          'key_duplicate',
        );
    }
    return points;
  };
}

function readPoint(
  json: unknown,
  place: Place,
  defaults: Readonly<Record<string, unknown>>,
): DataPoint | undefined {
  const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
  const fields = fieldsOf(isObject ? { ...sharedBy(json, defaults), ...json } : json, place);
  if (fields === undefined) return undefined;
  const before = place.problems.length;
  const key = fields.need('key', readKey);
  const name = fields.take('name', text, (key ?? '').replaceAll('_', ' '));
  const sunspec = fields.take('sunspec', readPlaces, null);
  const at = readAddress(fields, sunspec !== null);
  const type = readType(fields, at.function);
  const order = fields.take('order', readOrder, 'ABCD');
  const registers = readRegisters(fields, type);
  const bit = readBit(fields, type, at.function);
  const scale = fields.take('scale', readScale, 1);
  const offset = fields.take('offset', number, 0);
  const unit = fields.take('unit', text, null);
  const kind = fields.take('kind', oneOf(pointKinds), 'GAUGE');
  const range = fields.take('range', readRange, { min: null, max: null });
  const sentinels = readSentinels(fields, { type, registers, isSunSpec: sunspec !== null });
  const maxRatePerHour = fields.take('max_rate_per_hour', positive, null);
  const scaleFactorAddress = fields.take('scale_factor_address', natural, null);
  fields.end();
  if (place.problems.length > before) return undefined;
  const point = {
    key,
    name,
    function: at.function,
    address: at.address,
    documented: at.documented,
    sunspec,
    ...(scaleFactorAddress === null ? {} : { scaleFactorAddress }),
    type,
    order,
    registers,
    bit,
    scale,
    offset,
    unit,
    kind,
    range,
    sentinels,
    maxRatePerHour,
  } as DataPoint;
  checkPoint(point, fields);
  return place.problems.length > before ? undefined : point;
}

/** A SunSpec point and one with its notation take from the defaults what does not contradict it. */
function sharedBy(json: object, defaults: Readonly<Record<string, unknown>>) {
  const { notation: _, function: __, ...others } = defaults;
  return 'sunspec' in json ? others : defaults;
}

const readKey: Read<string> = (json, place) => {
  const key = text(json, place);
  if (key === undefined || keyPattern.test(key)) return key;
  return refuse(
    place,
    `must have lower case letters, digits and underscores, such as ac_power_w, not ${named(json)}`,
  );
};

const readFunction: Read<ReadFunction> = (json, place) => {
  const word = typeof json === 'string' ? json.trim().toLowerCase().replaceAll(/[ -]/g, '_') : '';
  const code = functionNames[word] ?? (/^(fc)?0?[1-4]$/.test(word) ? Number(word.at(-1)) : json);
  if (code === 1 || code === 2 || code === 3 || code === 4) return code;
  const writes = [5, 6, 15, 16, 22, 23].includes(Number(code));
  return refuse(
    place,
    `must be 1 (coils), 2 (discrete inputs), 3 (holding registers) or 4 (input registers), not ${named(json)}${writes ? ': nothing is ever written to a gateway' : ''}`,
  );
};

const readPlace: Read<SunSpecPlace> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const model = integer(1, 0xfffe);
  const one = fields.take('model', model, null);
  const several = fields.take('models', listOf(model), null);
  const models = several ?? (one === null || one === undefined ? [] : [one]);
  if (models.length === 0 && !fields.has('model') && !fields.has('models'))
    refuse(
      fields.placeOf('models'),
      'is missing: name the models that have the point',
      'field_missing',
    );
  const offset = fields.need('offset', integer(2, 0xffff));
  const scaleFactorOffset = fields.take('scale_factor_offset', integer(2, 0xffff), null);
  const occurrence = fields.take('occurrence', integer(0, 100), 0);
  const block = fields.take('block', readBlock, null);
  const type = fields.take('type', oneOf(pointTypes, typeNames), null);
  fields.end();
  if (offset === undefined || block === undefined || type === undefined) return undefined;
  return { models, occurrence, offset, scaleFactorOffset, block, type } as SunSpecPlace;
};

const readBlock: Read<{ length: number; index: number }> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const length = fields.need('length', integer(1, 0xffff));
  const index = fields.need('index', integer(0, 1_000));
  fields.end();
  return length === undefined || index === undefined ? undefined : { length, index };
};

/** One place, or several of which the first counts that the unit has. */
const readPlaces: Read<SunSpecPlace[]> = (json, place) => {
  if (Array.isArray(json)) {
    if (json.length === 0) return refuse(place, 'must name at least one place');
    return listOf(readPlace)(json, place);
  }
  const one = readPlace(json, place);
  return one === undefined ? undefined : [one];
};

interface ReadAt {
  documented: DataPoint['documented'];
  address?: number | null;
  function?: ReadFunction;
}

/** Function and address; what is refused is absent. */
function readAddress(fields: Fields, isSunSpec: boolean): ReadAt {
  const given = fields.take('function', readFunction, null);
  const notation = fields.take(
    'notation',
    oneOf<AddressNotation>(addressNotations, {
      modicon: '4xxxx',
      '5-digit': '4xxxx',
      '6-digit': '4xxxxx',
    }),
    'sent',
  );
  const documented = fields.take('documented', readDocumented, null);
  if (isSunSpec) {
    if (fields.has('address'))
      refuse(
        fields.placeOf('address'),
        'must be absent where "sunspec" says where the point is',
        'address_invalid',
      );
    return { address: null, documented: null, function: given ?? 3 };
  }
  const at = fields.need('address', (json, place) =>
    documentedAddress(json, { notation: notation ?? 'sent', place }),
  );
  const own = documented ?? at?.documented ?? null;
  if (documented && at && documented.sent !== at.address)
    refuse(
      fields.placeOf('documented'),
      `${documented.address} in the notation ${documented.notation} is ${documented.sent} as sent, but "address" says ${at.address}`,
      'address_invalid',
    );
  const table = at?.function ?? documented?.function ?? null;
  if (table !== null && given !== null && given !== undefined && table !== given)
    refuse(
      fields.placeOf('function'),
      `is ${given}, but the address ${own?.address ?? ''} belongs to function ${table}: correct one of them`,
      'address_invalid',
    );
  const code = given ?? table ?? undefined;
  if (code === undefined && given === null)
    refuse(
      fields.placeOf('function'),
      'is missing: 1 (coils), 2 (discrete inputs), 3 (holding registers) or 4 (input registers)',
      'field_missing',
    );
  return {
    ...(at === undefined ? {} : { address: at.address }),
    ...(code === undefined ? {} : { function: code }),
    documented: own === null ? null : { address: own.address, notation: own.notation },
  };
}

const readDocumented: Read<
  NonNullable<DataPoint['documented']> & { sent: number; function: ReadFunction | null }
> = (json, place) => {
  const fields = fieldsOf(json, place);
  if (fields === undefined) return undefined;
  const notation = fields.need('notation', oneOf(addressNotations));
  const at = fields.need('address', (one, where) =>
    notation === undefined ? undefined : documentedAddress(one, { notation, place: where }),
  );
  fields.end();
  if (at === undefined || at.documented === null || notation === undefined) {
    if (at !== undefined && notation === 'sent')
      refuse(place, 'must be absent where the address is given as sent');
    return undefined;
  }
  return { ...at.documented, sent: at.address, function: at.function };
};

function readType(fields: Fields, code: ReadFunction | undefined): PointType | undefined {
  const isCoil = code === 1 || code === 2;
  const type = isCoil
    ? fields.take('type', readTypeName, 'bit')
    : fields.need('type', readTypeName);
  if (isCoil && type !== undefined && type !== 'bit')
    return refuse(
      fields.placeOf('type'),
      `must be bit: function ${code} reads single bits, not ${type}`,
    );
  return type;
}

const readTypeName: Read<PointType> = (json, place) =>
  json === 'pad'
    ? refuse(place, 'pad holds no value: leave the point out')
    : oneOf(pointTypes, typeNames)(json, place);

const readOrder: Read<ByteOrder> = (json, place) => {
  const word = typeof json === 'string' ? json.trim() : '';
  const order =
    byteOrders.find((one) => one === word.toUpperCase()) ?? orderNames[word.toUpperCase()];
  if (order !== undefined) return order;
  const hint = orderHints.find(([pattern]) => pattern.test(word))?.[1];
  const meant = hint === undefined ? '' : `: did you mean ${hint} (${orderMeaning[hint]})?`;
  return refuse(place, `must be one of ${byteOrders.join(', ')}, not ${named(json)}${meant}`);
};

const orderMeaning: Readonly<Partial<Record<ByteOrder, string>>> = {
  ABCD: 'the highest byte first',
  CDAB: 'the low word first, each word with its high byte first',
  BADC: 'the high word first, each word with its low byte first',
  DCBA: 'the lowest byte first',
};

function readRegisters(fields: Fields, type: PointType | undefined): number | undefined {
  if (type === undefined) return fields.take('registers', integer(1, stringRegistersMax), 1);
  const own = registersOf(type);
  if (own === null) {
    const max = type === 'bcd' ? bcdRegistersMax : stringRegistersMax;
    return fields.need('registers', integer(1, max));
  }
  const given = fields.take('registers', integer(1, stringRegistersMax), own);
  if (given !== undefined && given !== own)
    return refuse(
      fields.placeOf('registers'),
      `must be ${own} for ${type}, or absent, not ${given}`,
    );
  return given;
}

function readBit(
  fields: Fields,
  type: PointType | undefined,
  code: ReadFunction | undefined,
): number | null | undefined {
  const isInRegister = type === 'bit' && (code === 3 || code === 4);
  if (isInRegister) return fields.need('bit', integer(0, 15));
  if (fields.has('bit') && type !== undefined && code !== undefined)
    return refuse(fields.placeOf('bit'), 'must be absent: it belongs to the type bit in registers');
  return null;
}

const readScale: Read<number> = (json, place) => {
  const scale = number(json, place);
  return scale === 0 ? refuse(place, 'must not be 0: every value would be the same') : scale;
};

const readRange: Read<DataPoint['range']> = (json, place) => {
  const fields = fieldsOf(
    Array.isArray(json) && json.length === 2 ? { min: json[0], max: json[1] } : json,
    place,
  );
  if (fields === undefined) return undefined;
  const min = fields.take('min', number, null);
  const max = fields.take('max', number, null);
  fields.end();
  if (min === undefined || max === undefined) return undefined;
  if (min !== null && max !== null && min >= max)
    return refuse(place, `must have a min below its max, not ${min} and ${max}`);
  return { min, max };
};

/** Types whose "no value" is a part of the type: nobody but SunSpec uses them. */
function isSunSpecType(type: PointType): boolean {
  return /^(acc|enum|bitfield|sunssf)/.test(type);
}

function readSentinels(
  fields: Fields,
  of: { type: PointType | undefined; registers: number | undefined; isSunSpec: boolean },
): readonly Sentinel[] | undefined {
  const { type, registers, isSunSpec } = of;
  if (type === undefined || registers === undefined) {
    fields.has('sentinels');
    return undefined;
  }
  const standard = sunSpecSentinels(type);
  const width = type === 'bit' ? 1 : registers * 16;
  return fields.take(
    'sentinels',
    (json, place) =>
      json === 'sunspec'
        ? standard
        : listOf((one, at) => readSentinel(one, at, width))(json, place),
    isSunSpec || isSunSpecType(type) ? standard : [],
  );
}

function readSentinel(json: unknown, place: Place, width: number): Sentinel | undefined {
  if (typeof json !== 'object' || json === null) {
    const bits = readBits(json, place, width);
    return bits === undefined ? undefined : { bits, mask: null };
  }
  const fields = fieldsOf(json, place);
  const bits = fields?.need('bits', (one, at) => readBits(one, at, width));
  const mask = fields?.take('mask', (one, at) => readBits(one, at, width), null);
  fields?.end();
  return bits === undefined || mask === undefined ? undefined : { bits, mask };
}

/** Bits of a raw value; a negative number stands for its two's complement. */
function readBits(json: unknown, place: Place, width: number): bigint | undefined {
  const word = typeof json === 'string' ? json.trim() : String(json);
  const isNumber = /^(0x[\da-f]+|-?\d+)$/i.test(word);
  if (!isNumber || (typeof json !== 'string' && !Number.isSafeInteger(json)))
    return refuse(place, `must be raw bits such as "0x7FFFFFFF", not ${named(json)}`);
  const bits = BigInt(word);
  const limit = 1n << BigInt(width);
  if (bits >= limit || bits < -(limit >> 1n))
    return refuse(place, `has more than the ${width} bits of the value: ${named(json)}`);
  return bits < 0n ? bits + limit : bits;
}

/** What several fields say together. */
function checkPoint(point: DataPoint, { placeOf }: Fields): void {
  const { type, registers, address, order, function: code } = point;
  const isText = textTypes.has(type);
  if (address !== null && address + (code <= 2 ? 1 : registers) > addressEnd)
    refuse(
      placeOf('address'),
      `${address} with ${registers} register${registers === 1 ? '' : 's'} ends beyond 65535`,
      'address_invalid',
    );
  if (/^.{8}$/.test(order) && registers !== 4)
    refuse(placeOf('order'), `${order} is for values of 64 bits; ${type} has ${registers * 16}`);
  if (point.kind !== 'GAUGE' && (isText || type === 'bit'))
    refuse(placeOf('kind'), `must be GAUGE: a ${type} does not count`);
  if (isText && (point.scale !== 1 || point.offset !== 0))
    refuse(placeOf('scale'), `must be absent: a ${type} is a text`);
  if (point.maxRatePerHour !== null && point.kind === 'GAUGE')
    refuse(placeOf('max_rate_per_hour'), 'must be absent: only COUNTER and DAILY are judged by it');
  const factor = point.scaleFactorAddress ?? null;
  if (factor !== null && (factor >= addressEnd || code <= 2 || point.sunspec !== null))
    refuse(
      placeOf('scale_factor_address'),
      'must be a register up to 65535, read by the same function as the value',
      'address_invalid',
    );
}

/** A point as JSON: fields that have their usual value are left out. `readPoint` gives the same point again. */
export function pointJson(point: DataPoint): Record<string, unknown> {
  const { documented, sunspec, type, registers } = point;
  const isUsual = (name: keyof DataPoint, usual: unknown) =>
    point[name] === usual ? {} : { [snake(name)]: point[name] };
  return {
    key: point.key,
    name: point.name,
    function: point.function,
    ...(point.address === null
      ? {}
      : documented === null
        ? { address: point.address }
        : { address: documented.address, notation: documented.notation }),
    ...(sunspec === null ? {} : { sunspec: sunspec.map(placeJson) }),
    ...isUsual('scaleFactorAddress', undefined),
    type,
    ...isUsual('order', 'ABCD'),
    ...(registersOf(type) === null ? { registers } : {}),
    ...isUsual('bit', null),
    ...isUsual('scale', 1),
    ...isUsual('offset', 0),
    ...isUsual('unit', null),
    ...isUsual('kind', 'GAUGE'),
    ...(point.range.min === null && point.range.max === null ? {} : { range: point.range }),
    ...sentinelsJson(point),
    ...isUsual('maxRatePerHour', null),
  };
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function placeJson(place: SunSpecPlace): Record<string, unknown> {
  return {
    models: place.models,
    ...(place.occurrence === 0 ? {} : { occurrence: place.occurrence }),
    offset: place.offset,
    ...(place.scaleFactorOffset === null ? {} : { scale_factor_offset: place.scaleFactorOffset }),
    ...(place.block === null ? {} : { block: place.block }),
    ...(place.type === null ? {} : { type: place.type }),
  };
}

function sentinelsJson({ sentinels, type, sunspec }: DataPoint): { sentinels?: unknown } {
  const usual = sunspec !== null || isSunSpecType(type) ? sunSpecSentinels(type) : [];
  const isSame =
    usual.length === sentinels.length &&
    usual.every(
      ({ bits, mask }, index) => sentinels[index]?.bits === bits && sentinels[index].mask === mask,
    );
  if (isSame) return {};
  const hex = (bits: bigint) => `0x${bits.toString(16).toUpperCase()}`;
  return {
    sentinels: sentinels.map(({ bits, mask }) =>
      mask === null ? hex(bits) : { bits: hex(bits), mask: hex(mask) },
    ),
  };
}
