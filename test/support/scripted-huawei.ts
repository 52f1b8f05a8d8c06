import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type { AdapterDeps, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { TransportRequest, TransportResponse } from '../../adapters/clouds/transport.ts';
import { huawei } from '../../adapters/clouds/huawei/adapter.ts';

/** Tests only: a transport that answers from a script, so that a test shows the vendor's words beside what they become. */

export const plant = { vendorPlantId: 'NE=35436844', timezone: 'America/Bogota' };
export const now = new Date('2026-05-02T15:00:00Z');
/** The system code is one that must never be seen outside the login's body. */
export const credentials = { userName: 'api-user', systemCode: 'Canary-5ecret', host: 'eu5' };

export type Answer =
  | TransportResponse
  | ((request: TransportRequest) => TransportResponse | Promise<TransportResponse>);

export function json(
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): TransportResponse {
  return { status, headers, body: JSON.stringify(body) };
}

export function success(data: unknown): TransportResponse {
  return json({ success: true, failCode: 0, message: null, params: { currentTime: 1 }, data });
}

export function failure(failCode: number): TransportResponse {
  return json({ success: false, failCode, message: null, params: {}, data: null });
}

export const loginOk = json(
  { data: null, success: true, failCode: 0, params: {}, message: null },
  200,
  {
    'xsrf-token': 'x-first',
  },
);

/** dataItemMap of a healthy plant. */
export const kpi = { day_power: 12.5, total_power: 16770.25, real_health_state: 3 };
export const kpiRow = (items: object = kpi): object => ({
  stationCode: plant.vendorPlantId,
  dataItemMap: items,
});
export const inverter = (id: unknown, devTypeId: unknown, esnCode: string | null): object => ({
  id,
  devTypeId,
  esnCode,
  devName: `device ${String(id)}`,
  stationCode: plant.vendorPlantId,
});
export const live = (devId: unknown, items: object): object => ({ devId, dataItemMap: items });
/** dataItemMap of an inverter that works. */
export const running = { run_state: 1, inverter_state: 512, active_power: 1.432, day_cap: 0.93 };

/** One answer a path: a plant with one inverter, without alarms and days. */
const ordinary: Record<string, Answer[]> = {
  login: [loginOk],
  getStationRealKpi: [success([kpiRow()])],
  getDevList: [success([inverter(1001, 1, 'HX01')])],
  getDevRealKpi: [success([live(1001, running)])],
  getKpiStationDay: [success([])],
  getAlarmList: [success([])],
};

export interface ScriptedVendor {
  adapter: VendorAdapter;
  requests: TransportRequest[];
  /** The paths that were asked, in order. */
  paths: () => string[];
  /** The JSON bodies sent to one path. */
  bodies: (path: string) => unknown[];
  /** A further call chain of the same account. */
  again: (deps?: Partial<AdapterDeps>) => VendorAdapter;
}

const pathOf = ({ url }: TransportRequest): string => url.split('/').at(-1) ?? '';

/** @param answers By path, in place of the ordinary ones: each list in order, its last entry for ever. */
export function scriptedVendor(
  answers: Record<string, Answer[]> = {},
  deps: Partial<AdapterDeps> = {},
): ScriptedVendor {
  const queues = Object.fromEntries(
    Object.entries({ ...ordinary, ...answers }).map(([path, list]) => [path, [...list]]),
  );
  const requests: TransportRequest[] = [];
  const base: AdapterDeps = {
    transport: async (request) => {
      requests.push(request);
      const queue = queues[pathOf(request)] ?? [];
      const answer = queue.length > 1 ? queue.shift() : queue[0];
      if (answer === undefined) throw new Error(`nothing is scripted for ${request.url}`);
      return typeof answer === 'function' ? answer(request) : answer;
    },
    credentials,
    session: new SessionStore(),
    now,
    signal: new AbortController().signal,
    ...deps,
  };
  return {
    adapter: huawei.create(base),
    requests,
    paths: () => requests.map(pathOf),
    bodies: (path) =>
      requests
        .filter((request) => pathOf(request) === path)
        .map(({ body }) => JSON.parse(body ?? '')),
    again: (other = {}) => huawei.create({ ...base, ...other }),
  };
}

/** The AdapterError that a call ends with; anything else fails the test. */
export async function errorOf(promise: Promise<unknown>): Promise<AdapterError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AdapterError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** What getPlantSummary makes of these answers. */
export const summaryError = (answers: Record<string, Answer[]>): Promise<AdapterError> =>
  errorOf(scriptedVendor(answers).adapter.getPlantSummary(plant));
