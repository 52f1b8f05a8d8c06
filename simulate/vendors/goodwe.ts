import { jsonResponse } from '../../adapters/clouds/recorded/vendor-side.ts';
import { dateAfter, firstInstantOf, wallText } from '../calendar.ts';
import type { SimulatedVendor } from '../vendor.ts';
import { type Asked, impossibleKwh, impossibleW, type Wire } from './wire.ts';

/** SEMS: times of alarms by the plant's wall. */
export const goodweWire: Wire = {
  expired: jsonResponse({ hasError: true, msg: 'expired', code: 100_002, data: null }),
  calls: {
    '/GetMonitorDetailByPowerstationId': { topic: 'SUMMARY', answer: detail },
    '/GetPowerStationPowerAndIncomeByDay': { topic: 'SERIES', answer: daySeries },
    '/QueryPowerStationMonitor': { answer: plantList },
    '/GetPowerStationWariningInfoByMultiCondition': { topic: 'ALARMS', answer: alarmPage },
  },
};

function success(data: unknown) {
  return { hasError: false, msg: 'Success', code: 0, data };
}

function detail(vendor: SimulatedVendor, { nowMs }: Asked) {
  const shown = vendor.show(nowMs);
  const { spoilt, isOnline, todayKwh, powerW, lifetimeKwh } = shown;
  const { inverters } = vendor.life;
  const status = isOnline ? 1 : -1;
  return success({
    info: { status },
    kpi: {
      pac: spoilt === 'IMPOSSIBLE_POWER' ? impossibleW : powerW,
      ...(spoilt === 'MISSING_FIELD'
        ? {}
        : { power: spoilt === 'IMPOSSIBLE_ENERGY' ? impossibleKwh : todayKwh }),
      total_power: lifetimeKwh,
    },
    inverter: Array.from({ length: inverters }, (_, index) => ({
      sn: `INV-${index + 1}`,
      status,
      out_pac: powerW / inverters,
      eday: (todayKwh ?? 0) / inverters,
      invert_full: { last_time: shown.measuredMs },
    })),
  });
}

function daySeries(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const to = String(body['date']);
  const days = vendor.days(dateAfter(to, 1 - Number(body['count'])), to, nowMs);
  return success(
    days.map(({ date, kwh }) => ({
      d: `${date.slice(5, 7)}/${date.slice(8)}/${date.slice(0, 4)}`,
      p: kwh,
    })),
  );
}

function plantList(vendor: SimulatedVendor) {
  return success({ record: 1, list: [{ powerstation_id: vendor.life.vendorPlantId }] });
}

function alarmPage(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const { place, vendorPlantId } = vendor.life;
  const [month, day, year] = String(body['starttime']).slice(0, 10).split('/');
  if (Number(body['page_index']) > 1) return success({ record: 100, list: [] });
  const sinceMs = firstInstantOf(`${year}-${month}-${day}`, place.timezone);
  const { alarms, isCutOff } = vendor.alarms(sinceMs, nowMs);
  const list = alarms.map((alarm, index) => ({
    stationId: vendorPlantId,
    devicesn: alarm.deviceSn ?? '',
    warningid: `${index}`,
    error_code: alarm.code,
    warningname: `fault ${alarm.code}`,
    warninglevel: alarm.isSevere ? 1 : 2,
    status: alarm.endMs === null ? 0 : 1,
    happentime: wallText(alarm.startMs, place.timezone),
    recoverytime: alarm.endMs === null ? '' : wallText(alarm.endMs, place.timezone),
  }));
  return success({ record: list.length + (isCutOff ? 3 : 0), list });
}
