import type * as z from 'zod';
import type { Brand } from '../../../domain/plants/plant.ts';
import type { LocalDate } from '../../../domain/zone.ts';
import type {
  AlarmsAnswer,
  DailyEnergy,
  PlantSummary,
  RefusedField,
  VendorAlarm,
} from '../../../domain/plants/reading.ts';
import { AdapterError, invalidFormat } from '../adapter-error.ts';
import type {
  AdapterDefinition,
  AdapterDeps,
  Capabilities,
  ConnectionTest,
  PlantRef,
  VendorAdapter,
} from '../contract.ts';
import { testedConnection } from '../connection-test.ts';
import {
  cleanText,
  decimalsOf,
  energyKwhOf,
  mergeAlarms,
  seriesOf,
  todayEnergyKwhOf,
  toNumber,
} from '../fields.ts';
import { check, parseJson } from '../json.ts';
import { troubleByStatus } from '../retry-after.ts';
import { AccountSession, type Session } from '../session.ts';
import { postJson } from '../transport.ts';
import {
  alarmsSchema,
  daysSchema,
  envelopeSchema,
  plantSchema,
  tokenSchema,
} from './wire.schema.ts';

const apiHost = 'https://api.vendor.example';
/** The vendor's window, where it asks to be left alone without saying for how long. */
const rateWindowMs = 60_000;

const capabilities: Capabilities = {
  measurementTime: true,
  alarmIntervalS: 900,
  seriesDaysMax: 31,
  budgets: [{ path: 'every endpoint', requests: 60, perS: 60, scope: 'account' }],
};

class BlueprintAdapter implements VendorAdapter {
  readonly #deps: AdapterDeps;
  readonly #session: AccountSession;

  constructor(deps: AdapterDeps) {
    this.#deps = deps;
    this.#session = new AccountSession(deps, () => this.#login());
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async testConnection(): Promise<ConnectionTest> {
    return testedConnection(async () => {
      await this.#session.logIn();
      return 'the vendor accepts the login';
    });
  }

  async getPlantSummary({ vendorPlantId }: PlantRef): Promise<PlantSummary> {
    const data = await this.#call('plant', { id: vendorPlantId }, plantSchema);
    const refused: RefusedField[] = [];
    const measuredAtS = toNumber(data.measuredAt);
    const lifetimeEnergyKwh = toNumber(data.energyTotal);
    const powerNow = data.online === false ? 0 : powerW(data.power, refused);
    return {
      todayEnergyKwh: todayEnergyKwhOf(data.energyToday, 'plant: energyToday', {
        known: data.online !== undefined || powerNow !== null || lifetimeEnergyKwh !== null,
        refused,
      }),
      powerW: powerNow,
      lifetimeEnergyKwh,
      lifetimeResolutionKwh:
        lifetimeEnergyKwh === null ? null : 10 ** -decimalsOf(data.energyTotal),
      lastSeenAt: measuredAtS === null ? null : instant(measuredAtS),
      devices: [],
      refused,
    };
  }

  async getDailyEnergySeries(
    { vendorPlantId }: PlantRef,
    from: LocalDate,
    to: LocalDate,
  ): Promise<DailyEnergy[]> {
    const rows = await this.#call('days', { id: vendorPlantId, from, to }, daysSchema);
    const days = rows.map(
      ({ date, energy }) => [date, energyKwhOf(energy, `days: ${date}`)] as const,
    );
    return seriesOf(days, from, to);
  }

  async getAlarmsSince({ vendorPlantId }: PlantRef, since: Date): Promise<AlarmsAnswer> {
    const body = { id: vendorPlantId, since: Math.floor(since.getTime() / 1000) };
    const records = await this.#call('alarms', body, alarmsSchema);
    return mergeAlarms(records.map(alarmOf), true);
  }

  /** The validated `data` of one endpoint; an expired session is renewed once. */
  async #call<T>(path: string, body: Readonly<Record<string, unknown>>, schema: z.ZodType<T>) {
    return this.#session.call(
      async ({ token }) => check(schema, await this.#post(path, body, token), path),
      { scope: 'ACCOUNT', message: `${path}: a session just opened is called expired` },
    );
  }

  async #login(): Promise<Session> {
    const { user, password } = this.#deps.credentials as { user?: string; password?: string };
    const data = await this.#post('login', { user, password }, null);
    return { token: check(tokenSchema, data, 'login').token, apiHost, extra: {} };
  }

  async #post(path: string, body: unknown, token: string | null): Promise<unknown> {
    const headers: Record<string, string> =
      token === null ? {} : { authorization: `bearer ${token}` };
    const response = await postJson(this.#deps, `${apiHost}/${path}`, body, headers);
    const trouble = troubleByStatus(path, response, this.#deps.now, rateWindowMs);
    if (trouble !== null) throw trouble;
    const { code, data } = check(envelopeSchema, parseJson(response.body), path);
    if (code !== 0) throw refusal(path, code);
    return data;
  }
}

function refusal(path: string, code: number): AdapterError {
  switch (code) {
    case 401:
      return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${path}: the session is gone`, {
        sessionExpired: true,
      });
    case 403:
      return new AdapterError('AUTH_FAILED', 'ACCOUNT', `${path}: wrong user or password`);
    case 404:
      return new AdapterError('PLANT_NOT_FOUND', 'PLANT', `${path}: no such plant`);
    default:
      return new AdapterError('VENDOR_ERROR', 'CLOUD', `${path}: the vendor failed (code ${code})`);
  }
}

function powerW(value: unknown, refused: RefusedField[]): number | null {
  const powerKw = toNumber(value);
  if (powerKw === null) return null;
  if (Number.isFinite(powerKw)) return powerKw * 1000;
  refused.push({ field: 'power_w', sentence: 'Power is not a number: check the inverter.' });
  return null;
}

function alarmOf(record: z.infer<typeof alarmsSchema>[number]): VendorAlarm {
  const endedAtS = toNumber(record.endedAt) ?? 0;
  return {
    code: record.code,
    deviceSn: cleanText(record.device, 64) || null,
    severity: toNumber(record.level) === 1 ? 'CRITICAL' : 'MEDIUM',
    vendorLevel: cleanText(record.level, 20),
    text: cleanText(record.text) || `alarm ${record.code}`,
    startedAt: instant(record.startedAt),
    endedAt: endedAtS > 0 ? instant(endedAtS) : null,
    open: endedAtS === 0,
    communication: false,
  };
}

/** @throws AdapterError INVALID_DATA_FORMAT where the seconds are no instant. */
function instant(epochS: number): string {
  const at = new Date(epochS * 1000);
  if (!Number.isNaN(at.getTime())) return at.toISOString();
  throw invalidFormat('a time that is no time');
}

/** Yours, once it stands in `domain/plants/plant.ts`. */
const brand: Brand = 'SOLIS';

export const blueprint: AdapterDefinition = {
  brand,
  credentialFields: ['user', 'password'],
  create: (deps) => new BlueprintAdapter(deps),
};
