import { firstInstantOf } from '../calendar.ts';
import type { SimulatedVendor } from '../vendor.ts';
import { type Asked, impossibleKwh, impossibleW, type Wire } from './wire.ts';

/** SolisCloud: every amount with its unit beside it. */
export const solisWire: Wire = {
  expired: null,
  calls: {
    '/stationDetail': { topic: 'SUMMARY', answer: stationDetail },
    '/stationMonth': { topic: 'SERIES', answer: stationMonth },
    '/alarmList': { topic: 'ALARMS', answer: alarmList },
    '/inverterList': { answer: inverterList },
  },
};

function success(data: unknown) {
  return { success: true, code: '0', msg: 'success', data };
}

function stationDetail(vendor: SimulatedVendor, { nowMs }: Asked) {
  const shown = vendor.show(nowMs);
  if (shown.todayKwh === null)
    return { success: true, code: 'B0115', msg: 'logger offline', data: null };
  const { spoilt, lifetimeKwh } = shown;
  const isCoarse = vendor.life.hasCoarseLifetime;
  return success({
    id: vendor.life.vendorPlantId,
    dataTimestamp: String(shown.measuredMs),
    state: shown.isOnline ? 1 : 2,
    power: (spoilt === 'IMPOSSIBLE_POWER' ? impossibleW : shown.powerW) / 1_000,
    powerStr: 'kW',
    powerPec: '1',
    ...(spoilt === 'MISSING_FIELD'
      ? {}
      : { dayEnergy: spoilt === 'IMPOSSIBLE_ENERGY' ? impossibleKwh : shown.todayKwh }),
    dayEnergyStr: 'kWh',
    // Its zeros at the end are counted as decimals of the meter.
    allEnergy:
      lifetimeKwh === null
        ? null
        : isCoarse
          ? (lifetimeKwh / 1_000).toFixed(3)
          : lifetimeKwh.toFixed(1),
    allEnergyStr: isCoarse ? 'MWh' : 'kWh',
    inverterCount: vendor.life.inverters,
  });
}

function stationMonth(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const month = String(body['month']);
  const days = vendor.days(`${month}-01`, `${month}-31`, nowMs);
  return success(
    days.map(({ date, kwh }) => ({
      dateStr: date,
      energy: kwh,
      energyStr: 'kWh',
      energyPec: '1',
    })),
  );
}

function alarmList(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const sinceMs = firstInstantOf(String(body['alarmBeginTime']), vendor.life.place.timezone);
  if (Number(body['pageNo']) > 1) return success({ records: [], total: 0, size: 100, pages: 3 });
  const { alarms, isCutOff } = vendor.alarms(sinceMs, nowMs);
  const records = alarms.map((alarm) => ({
    alarmCode: alarm.code,
    alarmDeviceSn: alarm.deviceSn ?? '',
    alarmLevel: alarm.isSevere ? '3' : '2',
    alarmMsg: `fault ${alarm.code}`,
    alarmBeginTime: alarm.startMs,
    alarmEndTime: alarm.endMs,
    state: alarm.endMs === null ? '0' : '2',
  }));
  const pages = isCutOff ? 3 : 1;
  return success({ records, total: records.length, size: 100, current: 1, pages });
}

function inverterList(vendor: SimulatedVendor, { nowMs }: Asked) {
  const shown = vendor.heard.summary;
  const records = Array.from({ length: vendor.life.inverters }, (_, index) => ({
    sn: `INV-${index + 1}`,
    state: shown?.isOnline === false ? 2 : 1,
    pac: (shown?.powerW ?? 0) / 1_000 / vendor.life.inverters,
    pacStr: 'kW',
    etoday: shown?.todayKwh ?? null,
    etodayStr: 'kWh',
    dataTimestamp: String(shown?.measuredMs ?? nowMs),
  }));
  return success({ page: { records, total: records.length, size: 100, pages: 1 } });
}
