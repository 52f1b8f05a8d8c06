import { expect } from 'vitest';
import { AdapterError } from '../../adapters/clouds/adapter-error.ts';
import type { PlantRef, VendorAdapter } from '../../adapters/clouds/contract.ts';
import { SessionStore } from '../../adapters/clouds/session.ts';
import type { TransportRequest, TransportResponse } from '../../adapters/clouds/transport.ts';
import { goodwe } from '../../adapters/clouds/goodwe/adapter.ts';
import { paths } from '../../adapters/clouds/goodwe/sems/client.ts';

/** A portal for tests: it answers each path with what the test writes down, and keeps what it was asked. */

export const plant: PlantRef = {
  vendorPlantId: '5e3f0c1a-7b2d-4c8e-9f10-00000000aa01',
  timezone: 'Europe/Berlin',
};
export const now = new Date('2026-01-10T14:55:00Z');
export const credentials = { account: 'somebody@example.invalid', password: 'canary-5a1f' };

/** A body, an `HttpAnswer`, or a function of the request's JSON and how often the path was asked. */
export type Answer = unknown;
export type Script = Partial<Record<keyof typeof paths, Answer>>;

export interface Asked extends TransportRequest {
  json: Record<string, unknown>;
}

export class HttpAnswer implements TransportResponse {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: string, headers: Readonly<Record<string, string>> = {}) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export const loginOk = {
  hasError: false,
  code: 0,
  msg: 'Successful',
  data: {
    uid: 'u-1',
    timestamp: 1_768_056_000_000,
    token: 't-1',
    client: 'ios',
    version: '',
    language: 'en',
  },
  api: 'https://eu.semsportal.com/api/',
};

export function success(data: unknown): unknown {
  return { language: 'en', hasError: false, msg: '操作成功', code: '0', data };
}

export function refusal(code: unknown): unknown {
  return { hasError: true, code, msg: 'unused', data: null };
}

export function portal(script: Script): {
  adapter: VendorAdapter;
  asked: Asked[];
  abort: AbortController;
} {
  const asked: Asked[] = [];
  const abort = new AbortController();
  const answers: Script = { login: loginOk, ...script };
  const adapter = goodwe.create({
    credentials,
    session: new SessionStore(),
    now,
    signal: abort.signal,
    transport: async (request) => {
      const json = JSON.parse(request.body ?? '{}') as Record<string, unknown>;
      asked.push({ ...request, json });
      const name = nameOf(request);
      if (name === undefined || !(name in answers)) {
        throw new AdapterError('NETWORK_TIMEOUT', 'CLOUD', 'no answer is written down');
      }
      const answer = answers[name];
      const count = asked.filter((one) => nameOf(one) === name).length;
      const given: unknown = typeof answer === 'function' ? answer(json, count) : answer;
      return given instanceof HttpAnswer ? given : new HttpAnswer(200, JSON.stringify(given));
    },
  });
  return { adapter, asked, abort };
}

function nameOf({ url }: TransportRequest): keyof typeof paths | undefined {
  const names = Object.keys(paths) as (keyof typeof paths)[];
  return names.find((name) => new URL(url).pathname.endsWith(paths[name]));
}

/** `data` of a plant's detail at `now`, with changes. */
export function detailData(changes: {
  kpi?: Record<string, unknown>;
  info?: Record<string, unknown>;
  inverter?: unknown;
}): Record<string, unknown> {
  return {
    info: { time: '01/10/2026 20:37:31', status: 1, time_span: -1, ...changes.info },
    kpi: { pac: 2337, power: 9.4, total_power: 19248.5, month_generation: 41.2, ...changes.kpi },
    inverter: 'inverter' in changes ? changes.inverter : [inverter({})],
  };
}

export const lastTime = Date.parse('2026-01-10T14:52:38.134Z');

export function inverter(changes: Record<string, unknown>): Record<string, unknown> {
  return {
    sn: '9500TEST0001',
    status: 1,
    out_pac: 2337,
    in_pac: 6553.7,
    eday: 9.4,
    etotal: 19248.5,
    last_refresh_time: '01/10/2026 15:52:38',
    invert_full: { last_time: lastTime },
    ...changes,
  };
}

/** The AdapterError that `work` must end with. */
export async function failureOf(work: Promise<unknown>): Promise<AdapterError> {
  const outcome: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(AdapterError);
  return outcome as AdapterError;
}

/** The AdapterError that a summary must end with. */
export async function summaryFailure(script: Script): Promise<AdapterError> {
  return failureOf(portal(script).adapter.getPlantSummary(plant));
}
