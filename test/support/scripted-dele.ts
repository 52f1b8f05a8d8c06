import type { LocalDate } from '../../domain/zone.ts';
import type { Credentials, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { TransportRequest, TransportResponse } from '../../adapters/clouds/transport.ts';
import { jsonBodyOf, jsonResponse } from '../../adapters/clouds/recorded/vendor-side.ts';
import { dele } from '../../adapters/clouds/dele/adapter.ts';

/** For unit tests: a DeyeCloud that says what the test tells it to, path by path. Nothing but tests may import it. */

export const plant = { vendorPlantId: '40760', timezone: 'Europe/Amsterdam' };
/** 12:00 by the plant's clock. */
export const noon = new Date('2026-04-18T10:00:00Z');
export const noonS = noon.getTime() / 1000;

export const credentials: Credentials = {
  appId: '202600000000001',
  appSecret: 'app secret',
  email: 'plants@example.com',
  password: 'password',
  companyId: '0',
  host: 'eu1',
};

type Body = Readonly<Record<string, unknown>>;
/** A body in the envelope of success, a whole response, or what decides by the request; of a list each once, the last for ever. */
type Answer = Body | TransportResponse | ((body: Body) => Body | TransportResponse);

export interface Scripted {
  adapter: VendorAdapter;
  requests: TransportRequest[];
  /** The bodies that were sent to a path, in order. */
  sentTo: (path: string) => Body[];
}

export function scriptedVendor(
  answers: Readonly<Record<string, Answer | readonly Answer[]>> = {},
  options: { now?: Date; credentials?: Credentials; session?: SessionStore } = {},
): Scripted {
  const script: Readonly<Record<string, Answer | readonly Answer[]>> = { ...healthy, ...answers };
  const requests: TransportRequest[] = [];
  const sentTo = (path: string): Body[] =>
    requests.filter(({ url }) => pathOf(url) === path).map(jsonBodyOf);
  const transport = async (request: TransportRequest): Promise<TransportResponse> => {
    requests.push(request);
    const path = pathOf(request.url);
    const answer = script[path];
    if (answer === undefined) throw new Error(`nothing is scripted for ${path}`);
    const turns = Array.isArray(answer) ? (answer as readonly Answer[]) : [answer as Answer];
    const turn = turns[Math.min(sentTo(path).length, turns.length) - 1];
    if (turn === undefined) throw new Error(`an empty script for ${path}`);
    const said = typeof turn === 'function' ? turn(jsonBodyOf(request)) : turn;
    return isResponse(said) ? said : jsonResponse({ ...success, ...said });
  };
  const adapter = dele.create({
    transport,
    credentials: options.credentials ?? credentials,
    session: options.session ?? new SessionStore(),
    now: options.now ?? noon,
    signal: new AbortController().signal,
  });
  return { adapter, requests, sentTo };
}

export function refused(code: string | null, status = 200): TransportResponse {
  return jsonResponse(
    { code, msg: 'as the vendor words it', success: false, requestId: '1' },
    status,
  );
}

/**
 * /station/history as the vendor keeps it: day and month rows by date, `endAt` outside the span unless `inclusive`, and
 * nothing at all for a span that ends in a month after `month`.
 */
export function history(
  days: Readonly<Record<LocalDate, unknown>>,
  options: { months?: Readonly<Record<string, unknown>>; inclusive?: boolean; month?: string } = {},
): (body: Body) => Body {
  const { months = {}, inclusive = false, month = '2026-04' } = options;
  return ({ granularity, startAt, endAt }) => {
    const [from, to] = [String(startAt), String(endAt)];
    const rows =
      granularity === 3
        ? Object.entries(months).filter(([one]) => one >= from && one <= to)
        : Object.entries(days).filter(
            ([date]) =>
              to.slice(0, 7) <= month && date >= from && (inclusive ? date <= to : date < to),
          );
    return { total: rows.length, stationDataItems: rows.map(([date, value]) => row(date, value)) };
  };
}

/** A row of the history; the values beside its own are clutter. */
export function row(date: string, generationValue: unknown): Body {
  const [year, month, day = null] = date.split('-').map(Number);
  return { generationValue, consumptionValue: 3.1, year, month, day, timeStamp: null };
}

export function listed(deviceSn: string, more: Body = {}): Body {
  return { deviceSn, deviceType: 'INVERTER', connectStatus: 1, collectionTime: noonS, ...more };
}

/** An answer of /device/latest; values by key, each with its unit. */
export function measured(
  deviceSn: string,
  values: Readonly<Record<string, readonly [value: unknown, unit: unknown]>>,
  more: Body = {},
): Body {
  const dataList = Object.entries(values).map(([key, [value, unit]]) => ({ key, value, unit }));
  return { deviceSn, deviceState: 1, collectionTime: noonS - 60, dataList, ...more };
}

export const usual = {
  TotalActiveACOutputPower: ['2507.40', 'W'],
  TotalActiveProduction: ['674.60', 'kWh'],
  DailyActiveProduction: ['3.80', 'kWh'],
} as const;

const success = { code: '1000000', msg: 'success', success: true, requestId: '1' };

const healthy: Readonly<Record<string, Answer>> = {
  'account/token': { accessToken: 'a-token', tokenType: 'bearer', expiresIn: '5183999' },
  'station/latest': { generationPower: 2480, lastUpdateTime: noonS - 120, batterySOC: null },
  'station/history': history({ '2026-04-17': 21.1, '2026-04-18': 3.7 }),
  'station/device': { total: 1, deviceListItems: [listed('SN1')] },
  'device/latest': { deviceDataList: [measured('SN1', usual)] },
  'station/alertList': { total: 0, stationAlertItems: [] },
  'station/list': { total: 1, stationList: [{ id: 40_760 }] },
};

function isResponse(said: Body | TransportResponse): said is TransportResponse {
  return 'headers' in said && 'body' in said;
}

function pathOf(url: string): string {
  return new URL(url).pathname.replace('/v1.0/', '');
}
