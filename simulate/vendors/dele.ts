import { jsonResponse } from '../../adapters/clouds/recorded/vendor-side.ts';
import { dateAfter, dateAt } from '../calendar.ts';
import { decimals, type ShownDay, type SimulatedVendor } from '../vendor.ts';
import { type Asked, impossibleKwh, impossibleW, type Wire } from './wire.ts';

/** DeyeCloud: a summary of four answers; the energy of the day is a row of the history. */
export const deleWire: Wire = {
  expired: jsonResponse({ code: '2101019', msg: 'auth invalid token', success: false }),
  calls: {
    '/station/latest': { topic: 'SUMMARY', answer: latest },
    '/station/history': {
      // Within a summary the history belongs to it; without one it is asked for itself.
      topic: ({ heard }) => (heard.summary === null ? 'SERIES' : null),
      answer: history,
    },
    '/station/device': { answer: devices },
    '/device/latest': { answer: deviceData },
    '/station/alertList': { topic: 'ALARMS', answer: alertList },
  },
};

const ok = { code: '1000000', msg: 'success', success: true, requestId: '0' };

function latest(vendor: SimulatedVendor, { nowMs }: Asked) {
  const { spoilt, isOnline, powerW, measuredMs } = vendor.show(nowMs);
  return {
    ...ok,
    generationPower: spoilt === 'IMPOSSIBLE_POWER' ? impossibleW : powerW,
    lastUpdateTime: Math.floor(measuredMs / 1_000),
    connectionStatus: isOnline ? 'NORMAL' : 'ALL_OFFLINE',
  };
}

function history(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  const today = dateAt(nowMs, vendor.life.place.timezone);
  const [from, end] = [String(body['startAt']), String(body['endAt'])];
  // A span that ends in a month that has not begun comes back empty.
  const isAhead = end.slice(0, 7) > today.slice(0, 7);
  if (body['granularity'] === 3) return month(vendor, from, nowMs);
  const days = isAhead ? [] : rows(vendor, from, dateAfter(end, -1), nowMs);
  return { ...ok, total: days.length, stationDataItems: days.map(itemOf) };
}

/** The vendor's month is the sum of what it shows of its days, with the running one. */
function month(vendor: SimulatedVendor, of: string, nowMs: number) {
  const days = rows(vendor, `${of}-01`, `${of}-31`, nowMs);
  const kwh = decimals(
    days.reduce((sum, day) => sum + (day.kwh ?? 0), 0),
    1,
  );
  return {
    ...ok,
    total: 1,
    stationDataItems: [{ ...itemOf({ date: `${of}-01`, kwh }), day: null }],
  };
}

/** Within a summary, the row of the summary's day has the value of the counter. */
function rows(vendor: SimulatedVendor, from: string, to: string, nowMs: number): ShownDay[] {
  const days = vendor.days(from, to, nowMs);
  const shown = vendor.heard.summary;
  if (shown === null) return days;
  const { timezone } = vendor.life.place;
  const today = dateAt(nowMs, timezone);
  const stated = dateAt(shown.measuredMs, timezone);
  const date = stated < today ? stated : today;
  if (date < from || date > to) return days;
  const others = days.filter((day) => day.date !== date);
  if (shown.spoilt === 'MISSING_FIELD') return others;
  const kwh = shown.spoilt === 'IMPOSSIBLE_ENERGY' ? impossibleKwh : shown.todayKwh;
  return [...others, { date, kwh }];
}

function itemOf({ date, kwh }: ShownDay) {
  const [year, ofYear, day] = date.split('-').map(Number);
  return { generationValue: kwh, year, month: ofYear, day };
}

function devices(vendor: SimulatedVendor) {
  const items = serials(vendor).map((deviceSn) => ({
    deviceSn,
    deviceType: 'INVERTER',
    connectStatus: vendor.heard.summary?.isOnline === false ? 0 : 1,
    collectionTime: Math.floor((vendor.heard.summary?.measuredMs ?? 0) / 1_000),
  }));
  return { ...ok, total: items.length, deviceListItems: items };
}

function deviceData(vendor: SimulatedVendor) {
  const shown = vendor.heard.summary;
  const { inverters } = vendor.life;
  const list = serials(vendor).map((deviceSn, index) => ({
    deviceSn,
    deviceState: shown?.isOnline === false ? 3 : 1,
    collectionTime: Math.floor((shown?.measuredMs ?? 0) / 1_000),
    dataList: [
      {
        key: 'TotalActiveACOutputPower',
        value: String((shown?.powerW ?? 0) / inverters),
        unit: 'W',
      },
      // The first carries all: halves would be rounded twice.
      ...(shown?.lifetimeKwh == null
        ? []
        : [
            {
              key: 'TotalActiveProduction',
              value: index === 0 ? shown.lifetimeKwh.toFixed(1) : '0.1',
              unit: 'kWh',
            },
          ]),
    ],
  }));
  return { ...ok, deviceDataList: list };
}

function serials(vendor: SimulatedVendor): string[] {
  return Array.from({ length: vendor.life.inverters }, (_, index) => `INV-${index + 1}`);
}

function alertList(vendor: SimulatedVendor, { body, nowMs }: Asked) {
  if (Number(body['page']) > 1) return { ...ok, total: 100, stationAlertItems: [] };
  const { alarms, isCutOff } = vendor.alarms(Number(body['startTimestamp']) * 1_000, nowMs);
  const items = alarms.map((alarm) => ({
    alertCode: alarm.code,
    alertName: `fault ${alarm.code}`,
    deviceSn: alarm.deviceSn ?? '',
    level: alarm.isSevere ? 2 : 1,
    impact: 1,
    alertStartTime: alarm.startMs / 1_000,
    alertEndTime: alarm.endMs === null ? 0 : Math.ceil(alarm.endMs / 1_000),
    status: alarm.endMs === null ? 1 : 0,
  }));
  return { ...ok, total: items.length + (isCutOff ? 3 : 0), stationAlertItems: items };
}
