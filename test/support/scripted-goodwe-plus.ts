import { goodwe } from '../../adapters/clouds/goodwe/adapter.ts';
import { plusPaths } from '../../adapters/clouds/goodwe/sems-plus/client.ts';
import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type { PlantRef, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { TransportRequest } from '../../adapters/clouds/transport.ts';
import { HttpAnswer, type Answer, type Asked } from './scripted-goodwe.ts';

/** SEMS+ for tests: it answers each path with what the test writes down, and keeps what it was asked. */

export const plant: PlantRef = {
  vendorPlantId: '5e3f0c1a-7b2d-4c8e-9f11-00000000aa01',
  timezone: 'Europe/Madrid',
};
/** 15:25 in Madrid, in summer. */
export const now = new Date('2026-10-05T13:25:00Z');
export const credentials = {
  account: 'somebody@example.invalid',
  password: 'heliograph',
  portal: 'SEMS_PLUS',
};

export const loginData = {
  uid: 'u-1',
  timestamp: '1760000000000',
  token: 't-1',
  client: 'semsPlusWeb',
  version: '',
  language: 'en',
  api: 'https://eu-gateway.semsportal.com/web/sems',
  region: 'eu',
  uuid: 'x',
};

export function success(data: unknown): unknown {
  return { code: '00000', description: '成功', traceId: 't', data };
}

export function refusal(code: unknown): unknown {
  return { code, translationCode: 'x', description: 'unused', errorMsg: 'unused', traceId: 't' };
}

/** Answers by the name of a path, those to `telecounting` by the inverter's serial number. */
export type PlusScript = Partial<Record<keyof typeof plusPaths, Answer>> & {
  counters?: Readonly<Record<string, Answer>>;
};

export interface PlusAsked extends Asked {
  name: string;
}

/** A portal with one inverter of 3.2 kW; the script replaces single answers. */
export function plusPortal(script: PlusScript = {}): {
  adapter: VendorAdapter;
  asked: PlusAsked[];
  abort: AbortController;
} {
  const asked: PlusAsked[] = [];
  const abort = new AbortController();
  const answers: PlusScript = {
    login: success(loginData),
    flow: success(flow({})),
    devices: success(devices({ inverters: { A: 1 } })),
    curve: success(curve([['2026-10-05 15:20:00', 3.1]])),
    days: success(days([])),
    alarms: success({ dataList: [], total: 0 }),
    ...script,
  };
  const counted = script.counters ?? { A: success(counters({})) };
  const adapter = goodwe.create({
    credentials,
    session: new SessionStore(),
    now,
    signal: abort.signal,
    transport: async (request) => {
      const json = JSON.parse(request.body ?? '{}') as Record<string, unknown>;
      const { name, answer } = answerTo(request, answers, counted);
      asked.push({ ...request, json, name });
      if (answer === undefined) {
        throw new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'no answer is written down');
      }
      const count = asked.filter((one) => one.name === name).length;
      const given: unknown = typeof answer === 'function' ? answer(json, count) : answer;
      return given instanceof HttpAnswer ? given : new HttpAnswer(200, JSON.stringify(given));
    },
  });
  return { adapter, asked, abort };
}

function answerTo(
  { url }: TransportRequest,
  answers: PlusScript,
  counted: Readonly<Record<string, Answer>>,
): { name: string; answer: Answer } {
  const { pathname } = new URL(url);
  const sn = /\/equipments\/([^/]+)\/telecounting$/.exec(pathname)?.[1];
  if (sn !== undefined) return { name: `counters ${sn}`, answer: counted[sn] };
  const names = Object.keys(plusPaths) as (keyof typeof plusPaths)[];
  const name = names.find((one) => pathname.endsWith(`/${plusPaths[one]}`));
  return { name: name ?? pathname, answer: name === undefined ? undefined : answers[name] };
}

export function flow(changes: Record<string, unknown>): Record<string, unknown> {
  return {
    id: plant.vendorPlantId,
    status: '1',
    flows: { pSystem: ['pGrid'] },
    pSystem: 3.2,
    pAc: 3.1,
    pBat: 0,
    pGrid: 1.9,
    pConsum: 1.3,
    soc: 0,
    refreshTime: '2026-10-05T15:24:41',
    ...changes,
  };
}

/** Devices with their states, by serial number. */
export function devices({
  inverters,
  others = {},
  deviceType = 'INVERTER',
}: {
  inverters: Readonly<Record<string, number>>;
  others?: Readonly<Record<string, string>>;
  deviceType?: string;
}): Record<string, unknown> {
  const group = (type: string, sn: string, status: number) => ({
    deviceType: type,
    statusDetailList: [
      { status, snList: [sn], detailMap: { [sn]: { sn, deviceType: type, status } } },
    ],
  });
  return {
    total: 1,
    deviceDetailList: [
      ...Object.entries(inverters).map(([sn, status]) => group(deviceType, sn, status)),
      ...Object.entries(others).map(([sn, type]) => group(type, sn, 1)),
    ],
  };
}

/** Counters of an inverter: 8.4 kWh today, 7,301.5 kWh in all. undefined: no value. */
export function counters({
  today = '8.40',
  lifetime = '7301.500000',
  power = '3.1',
  unit = 'kWh',
}: {
  today?: unknown;
  lifetime?: unknown;
  power?: unknown;
  unit?: string;
}): unknown {
  const factor = (code: string, data: unknown, of: string) => ({ code, data, unit: of });
  return [
    { code: 'telecounting_real', factors: [factor('pAc', power, 'kW')] },
    { code: 'telecounting_today', factors: [factor('proPvStatsToday', today, unit)] },
    { code: 'telecounting_lifetime', factors: [factor('proPvStatsTotal', lifetime, unit)] },
  ];
}

/** What an inverter that is away tells: codes without data. */
export const noCounters = counters({ today: null, lifetime: null, power: null });

export function curve(points: readonly (readonly [string, unknown])[]): unknown {
  const powerData = points.map(([tp, power]) => ({ tp, power, isCE: false }));
  return { dataList: [{ item: 'pSystem', unit: 'kW', powerData }] };
}

export function days(
  rows: readonly (readonly [string, unknown])[],
  { item = 'proSystemTotalStats', unit = 'kWh' } = {},
): unknown {
  return {
    proAcTotal: 99,
    dataList: [{ item, unit, statisticsList: rows.map(([date, val]) => ({ date, val })) }],
  };
}
