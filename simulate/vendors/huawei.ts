import { jsonResponse } from '../../adapters/clouds/recorded/vendor-side.ts';
import { dateAt, firstInstantOf } from '../calendar.ts';
import type { SimulatedVendor } from '../vendor.ts';
import { type Asked, impossibleKwh, impossibleW, type Wire } from './wire.ts';

/** FusionSolar: no measurement time, power by inverter, current alarms only. */
export const huaweiWire: Wire = {
  expired: jsonResponse({ failCode: 305, immediately: true, message: 'USER_MUST_RELOGIN' }),
  calls: {
    '/getStationRealKpi': { topic: 'SUMMARY', answer: stationRealKpi },
    '/getDevList': { answer: devList },
    '/getDevRealKpi': { answer: devRealKpi },
    '/getKpiStationDay': { topic: 'SERIES', answer: stationDay },
    '/getAlarmList': { topic: 'ALARMS', answer: alarmList },
  },
};

function success(data: unknown) {
  return { success: true, failCode: 0, message: null, data, params: {} };
}

function stationRealKpi(vendor: SimulatedVendor, { nowMs }: Asked) {
  const { todayKwh, lifetimeKwh, isOnline, spoilt } = vendor.show(nowMs);
  const dataItemMap = {
    ...(spoilt === 'MISSING_FIELD'
      ? {}
      : { day_power: spoilt === 'IMPOSSIBLE_ENERGY' ? impossibleKwh : todayKwh }),
    total_power: lifetimeKwh,
    real_health_state: isOnline || vendor.life.sleeps ? 3 : 1,
  };
  return success([{ stationCode: vendor.life.vendorPlantId, dataItemMap }]);
}

function devList(vendor: SimulatedVendor) {
  return success(
    Array.from({ length: vendor.life.inverters }, (_, index) => ({
      id: 7_000 + index,
      devTypeId: 1,
      esnCode: `INV-${index + 1}`,
      devName: `Inverter ${index + 1}`,
      stationCode: vendor.life.vendorPlantId,
    })),
  );
}

function devRealKpi(vendor: SimulatedVendor) {
  const shown = vendor.heard.summary;
  const { inverters } = vendor.life;
  const powerW = shown?.spoilt === 'IMPOSSIBLE_POWER' ? impossibleW * 1e3 : (shown?.powerW ?? 0);
  const isRunning = shown?.isOnline === true && powerW > 0;
  return success(
    Array.from({ length: inverters }, (_, index) => ({
      devId: 7_000 + index,
      dataItemMap: {
        run_state: shown?.isOnline === true ? 1 : 0,
        inverter_state: isRunning ? 512 : 40_960,
        active_power: powerW / 1_000 / inverters,
        day_cap: (shown?.todayKwh ?? 0) / inverters,
      },
    })),
  );
}

function stationDay(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const { place, vendorPlantId } = vendor.life;
  const month = dateAt(Number(body['collectTime']), place.timezone).slice(0, 7);
  return success(
    vendor.days(`${month}-01`, `${month}-31`, nowMs).map(({ date, kwh }) => ({
      collectTime: firstInstantOf(date, place.timezone),
      stationCode: vendorPlantId,
      dataItemMap: { inverter_power: kwh },
    })),
  );
}

/** Huawei's list has no pages, so it is never cut off. */
function alarmList(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const answer = vendor.alarms(Number(body['beginTime']), nowMs);
  const open = answer.alarms.filter(({ endMs }) => endMs === null);
  vendor.heard.alarms = { alarms: open, isCutOff: false };
  return success(
    open.map((alarm) => ({
      alarmId: alarm.code,
      alarmName: `fault ${alarm.code}`,
      devName: alarm.deviceSn,
      esnCode: alarm.deviceSn,
      stationCode: vendor.life.vendorPlantId,
      lev: alarm.isSevere ? 2 : 4,
      status: 1,
      raiseTime: alarm.startMs,
    })),
  );
}
