import type { AdapterErrorType, Brand, FailureScope } from '../../../domain/plants/plant.ts';
import type { AlarmsAnswer, DailyEnergy, PlantSummary } from '../../../domain/plants/reading.ts';
import { addDays, localDateAt } from '../../../domain/zone.ts';
import { AdapterError } from '../adapter-error.ts';
import type { AdapterDeps } from '../contract.ts';
import { plusPaths } from '../goodwe/sems-plus/client.ts';
import { readRecording, type RecordedExchange, type Recording } from './recording.ts';
import { registry } from '../registry.ts';
import { SessionStore } from '../session.ts';
import type { Transport, TransportRequest, TransportResponse } from '../transport.ts';
import { jsonBodyOf, jsonResponse, pathOf, type VendorSide } from './vendor-side.ts';

/** What one call made of the recording. */
export type ReplayedCall<T> =
  | { ok: T }
  | { error: { type: AdapterErrorType; scope: FailureScope; message: string } }
  | { error: { type: 'NOT_RECORDED'; message: string } };

export interface Replay {
  /** Of the file, or found in its answers; "1" where neither says. */
  vendorPlantId: string;
  summary: ReplayedCall<PlantSummary>;
  /** The last three days and today. */
  days: ReplayedCall<DailyEnergy[]>;
  /** Of the last 30 days. */
  alarms: ReplayedCall<AlarmsAnswer>;
  /** Requests for which the file had no answer, and what was done about it. */
  notes: string[];
}

/** A recording is asked for every alarm that it can hold; every brand's vendor allows this long. */
const alarmDays = 30;
const dayMs = 86_400_000;

/**
 * Shows what an adapter makes of recorded answers: a file in the form of fixtures/README.md, or one that only resembles it.
 * Nothing moves, signatures and tokens are not checked, and a login that is not recorded succeeds. Only the file is read.
 *
 * @param text The file's text.
 * @param now The clock of the recording: what "today" is, and how old a measurement.
 * @throws RecordingError where the text is no recording at all.
 */
export async function replayRecording(options: {
  brand: Brand;
  text: string;
  now: Date;
  timezone: string;
}): Promise<Replay> {
  const { brand, text, now, timezone } = options;
  const { definition, vendor } = registry[brand];
  const recording = readRecording(text);
  const vendorPlantId = plantIdOf(recording, brand, vendor);
  const plant = { vendorPlantId, timezone };
  const notes = new Set<string>();
  const credentials = {
    ...Object.fromEntries(
      definition.credentialFields.map((field) => [field, assumedCredential(field)]),
    ),
    ...vendor.choicesFor?.(recording.exchanges.map(({ path }) => path)),
  };

  /** Each call begins the recording anew, so that none depends on what another has used up. */
  async function call<T>(ask: (adapter: ReturnType<typeof definition.create>) => Promise<T>) {
    const transport = replaying(recording, { brand, vendor, credentials, now, notes });
    const { signal } = new AbortController();
    const session = new SessionStore();
    return outcomeOf(() =>
      ask(definition.create({ transport, credentials, session, now, signal })),
    );
  }

  const today = localDateAt(now.getTime(), timezone);
  const since = new Date(now.getTime() - alarmDays * dayMs);
  return {
    vendorPlantId,
    summary: await call((adapter) => adapter.getPlantSummary(plant)),
    days: await call((adapter) => adapter.getDailyEnergySeries(plant, addDays(today, -3), today)),
    alarms: await call((adapter) => adapter.getAlarmsSince(plant, since)),
    notes: [...notes],
  };
}

async function outcomeOf<T>(run: () => Promise<T>): Promise<ReplayedCall<T>> {
  try {
    return { ok: await run() };
  } catch (error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      if (cause instanceof NotRecorded) {
        return { error: { type: 'NOT_RECORDED', message: cause.message } };
      }
    }
    if (!(error instanceof AdapterError)) throw error;
    const { type, scope, message } = error;
    return { error: { type, scope, message } };
  }
}

/** Adapters do without some requests when they fail; this failure says why this one did. */
class NotRecorded extends AdapterError {
  constructor(request: TransportRequest) {
    super('UNKNOWN', 'REQUEST', `no exchange is recorded for ${request.method} ${pathOf(request)}`);
    this.name = 'NotRecorded';
  }
}

/** Requests that a summary can do without, and the answer that says nothing: Huawei's energy stands without its inverters, that of SEMS+ without them and without its curve. */
const emptyAnswers: Partial<Record<Brand, { paths: readonly string[]; body: unknown }>> = {
  HUAWEI: {
    paths: ['/thirdData/getDevList', '/thirdData/getDevRealKpi'],
    body: { success: true, failCode: 0, message: null, params: {}, data: [] },
  },
  GOODWE: {
    paths: [plusPaths.devices, plusPaths.curve].map((path) => `/web/sems/${path}`),
    body: { code: '00000', data: { deviceDetailList: [], dataList: [] } },
  },
};

interface ReplayContext extends Pick<AdapterDeps, 'credentials' | 'now'> {
  brand: Brand;
  vendor: VendorSide;
  notes: Set<string>;
}

function replaying(recording: Recording, context: ReplayContext): Transport {
  const used = new Map<RecordedExchange, number>();
  return async (request) => {
    const exchange = nextExchange(candidatesFor(request, recording, context), used);
    if (exchange === undefined) return withoutExchange(request, context);
    used.set(exchange, (used.get(exchange) ?? 0) + 1);
    if (exchange.response === 'never') {
      throw new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'the recorded vendor never answers');
    }
    return exchange.response;
  };
}

/** In the order of the file: each once (or `times`), then the last of them again and again. */
function nextExchange(
  candidates: readonly RecordedExchange[],
  used: ReadonlyMap<RecordedExchange, number>,
): RecordedExchange | undefined {
  return candidates.find((one) => (used.get(one) ?? 0) < (one.times ?? 1)) ?? candidates.at(-1);
}

function withoutExchange(request: TransportRequest, context: ReplayContext): TransportResponse {
  const { vendor, credentials, now, brand, notes } = context;
  const what = `${request.method} ${pathOf(request)}`;
  const login = vendor.login?.(request, { knownCredentials: credentials, now }) ?? null;
  if (login !== null) {
    notes.add(`${what}: not recorded; a session is assumed`);
    return login;
  }
  const empty = emptyAnswers[brand];
  if (empty?.paths.includes(pathOf(request)) === true) {
    notes.add(`${what}: not recorded; taken for empty`);
    return jsonResponse(empty.body);
  }
  notes.add(`${what}: not recorded`);
  throw new NotRecorded(request);
}

function candidatesFor(
  request: TransportRequest,
  recording: Recording,
  { vendor, credentials, now }: ReplayContext,
): readonly RecordedExchange[] {
  const sameCall = recording.exchanges.filter(
    ({ method, path }) =>
      (method === null || method === request.method) && isSamePath(path, pathOf(request)),
  );
  const isLogin =
    (vendor.login?.(request, { knownCredentials: credentials, now }) ?? null) !== null;
  // A recording holds no password.
  if (isLogin) return sameCall;
  const asked = jsonBodyOf(request);
  const fitting = sameCall.filter(({ body }) => agreesOnWhat(body, asked));
  const closest = Math.max(...fitting.map(({ body }) => likeness(body, asked)));
  return fitting.filter(({ body }) => likeness(body, asked) === closest);
}

/** Whether one path ends with the other, versions left aside: recorded ones begin anywhere below the host. */
function isSamePath(recorded: string, asked: string): boolean {
  const [shorter = [], longer = []] = [stepsOf(recorded), stepsOf(asked)].toSorted(
    (a, b) => a.length - b.length,
  );
  return shorter.length > 0 && shorter.every((step, i) => step === longer.at(i - shorter.length));
}

function stepsOf(path: string): string[] {
  return path
    .toLowerCase()
    .split('/')
    .filter((step) => step !== '' && !/^v\d+(\.\d+)?$/.test(step));
}

/** Fields of a request that decide what kind of answer it gets; the others (dates, ids, languages) depend on who asks, and when. */
const decisiveFields = new Set([
  'pageNo',
  'page',
  'page_index',
  'pageIndex',
  'current',
  'devTypeId',
  'granularity',
  'timeType',
]);

type Body = Readonly<Record<string, unknown>>;

function agreesOnWhat(recorded: Body, asked: Body): boolean {
  return Object.keys(recorded).every(
    (field) => !decisiveFields.has(field) || !(field in asked) || isSame(field, recorded, asked),
  );
}

/** How many fields were recorded as they are asked: of two months, the right one. */
function likeness(recorded: Body, asked: Body): number {
  return Object.keys(recorded).filter((field) => isSame(field, recorded, asked)).length;
}

/** Compared as text: what one client sends as number another sends as text. */
function isSame(field: string, recorded: Body, asked: Body): boolean {
  return field in asked && String(recorded[field]) === String(asked[field]);
}

/** Where vendors name the plant in their answers. */
const plantIdKeys: Readonly<Record<Brand, readonly string[]>> = {
  SOLIS: ['stationId', 'id'],
  HUAWEI: ['stationCode', 'plantCode', 'stationCodes'],
  GOODWE: ['powerstation_id', 'powerStationId', 'pw_id', 'stationId', 'stationid', 'id'],
  DELE: ['stationId', 'id'],
};

function plantIdOf(recording: Recording, brand: Brand, vendor: VendorSide): string {
  if (recording.vendorPlantId !== null) return recording.vendorPlantId;
  for (const { path, body } of recording.exchanges) {
    const asked = vendor.plantIdOf({
      method: 'POST',
      url: new URL(path, 'https://recorded.invalid').href,
      headers: {},
      body: JSON.stringify(body),
    });
    if (asked !== null && asked !== '') return asked;
  }
  for (const key of plantIdKeys[brand]) {
    for (const { answer } of recording.exchanges) {
      const found = firstValueOf(key, answer);
      if (found !== null) return found;
    }
  }
  return '1';
}

function firstValueOf(key: string, value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const own: unknown = (value as Record<string, unknown>)[key];
  if ((typeof own === 'string' && own !== '') || typeof own === 'number') return String(own);
  for (const entry of Object.values(value)) {
    const found = firstValueOf(key, entry);
    if (found !== null) return found;
  }
  return null;
}

/** Any text is a good user name; a host must be one that the brand has. */
function assumedCredential(field: string): string {
  return field === 'host' ? 'eu1' : 'replay';
}
