import { describe, expect, test } from 'vitest';
import { alarmOf, dateOf, firstDatesByMonth, powerOf } from './normalise.ts';

const inverter = { id: '1', typeId: 1, sn: 'HX01', besideBattery: false };
const read = (items: Record<string, unknown>, disconnected = false) => {
  const answer = powerOf([inverter], new Map([['1', items]]), disconnected);
  return { ...answer.devices[0], refused: answer.refused };
};

describe('the state of an inverter', () => {
  test.each([
    [0, 'STANDBY'],
    [3, 'STANDBY'],
    [256, 'STANDBY'],
    [512, 'RUNNING'],
    ['513.0', 'RUNNING'],
    [514, 'RUNNING'],
    [768, 'FAULT'],
    [769, 'STANDBY'],
    [770, 'STANDBY'],
    [771, 'OFFLINE'],
    [772, 'STANDBY'],
    [40_960, 'STANDBY'],
    [45_056, 'OFFLINE'],
    [49_152, 'STANDBY'],
  ])('inverter_state %s is %s', (inverterState, state) => {
    const items = { run_state: 1, inverter_state: inverterState, active_power: 1 };
    expect(read(items)).toMatchObject({ state, powerW: state === 'OFFLINE' ? 0 : 1000 });
  });

  test.each([512, 513, 514])('%i is RUNNING at 0 W too', (inverterState) => {
    expect(read({ inverter_state: inverterState, active_power: 0 }).state).toBe('RUNNING');
  });

  test('a code that is not listed is RUNNING while there is power, UNKNOWN at 0 and without', () => {
    expect(read({ inverter_state: 1025, active_power: 0.001 }).state).toBe('RUNNING');
    expect(read({ inverter_state: 1025, active_power: 0 }).state).toBe('UNKNOWN');
    expect(read({ inverter_state: 1025 }).state).toBe('UNKNOWN');
    expect(read({}).state).toBe('UNKNOWN');
  });

  test('run_state 0 and a disconnected plant outweigh the code', () => {
    const items = { inverter_state: 512, active_power: 1 };
    expect(read({ ...items, run_state: 0 })).toMatchObject({ state: 'OFFLINE', powerW: 0 });
    expect(read(items, true)).toMatchObject({ state: 'OFFLINE', powerW: 0 });
  });
});

describe('the power of an inverter', () => {
  test('is in W without the noise of binary fractions', () => {
    expect(1.001 * 1000).not.toBe(1001);
    expect(read({ active_power: 1.001 }).powerW).toBe(1001);
  });

  test('of a hybrid by night is not what its battery gives', () => {
    const night = { run_state: 1, inverter_state: 512, active_power: 0.62, mppt_power: 0.0 };
    expect(read(night)).toMatchObject({ powerW: 0, state: 'STANDBY', refused: [] });
  });

  test.each([
    ['discharges', 0.62, 0.2, 200],
    ['is charged', 2, 5, 5000],
    ['does neither', 4.1, 4.2, 4200],
  ])(
    'beside a battery that %s is what the panels deliver',
    (_, active_power, mppt_power, powerW) => {
      const hybrid = { ...inverter, besideBattery: true };
      const items = { inverter_state: 512, active_power, mppt_power };
      const { devices } = powerOf([hybrid], new Map([['1', items]]), false);
      expect(devices).toMatchObject([{ powerW, state: 'RUNNING' }]);
    },
  );

  test.each([{}, { mppt_power: 0, pv1_i: 0.4 }])(
    'beside a battery is not known where the panels are not measured: %j',
    (panels) => {
      const hybrid = { ...inverter, besideBattery: true };
      const items = new Map([['1', { active_power: 0.62, ...panels }]]);
      expect(powerOf([hybrid], items, false).powerW).toBeNull();
    },
  );

  test('without a battery is what the inverter gives, also where it does not measure its panels', () => {
    expect(read({ active_power: 4.1, mppt_power: 4.2 }).powerW).toBe(4100);
    expect(read({ active_power: 4.1, mppt_power: 0, pv1_i: 5.2 }).powerW).toBe(4100);
  });

  test('may be negative by night', () => {
    expect(read({ active_power: -0.003 }).powerW).toBe(-3);
  });

  test('is possible at 1 GW and refused beyond', () => {
    expect(read({ active_power: 1e6 })).toMatchObject({ powerW: 1e9, refused: [] });
    expect(read({ active_power: 1_000_000.001 })).toMatchObject({
      powerW: null,
      refused: [{ field: 'power_w' }],
    });
    expect(read({ active_power: '-1e7' }).powerW).toBeNull();
    expect(read({ active_power: 'much' }).refused).toHaveLength(1);
  });

  test('is not refused where it does not count', () => {
    expect(read({ run_state: 0, active_power: 2_147_483.647 }).refused).toEqual([]);
  });

  test('of several that are refused makes one sentence with their number', () => {
    const inverters = ['1', '2'].map((id) => ({ ...inverter, id }));
    const items = { active_power: 'NaN' };
    const { refused } = powerOf(
      inverters,
      new Map([
        ['1', items],
        ['2', items],
      ]),
      false,
    );
    expect(refused).toEqual([
      { field: 'power_w', sentence: 'Power of 2 inverters cannot be true: check the device.' },
    ]);
  });
});

test.each([['-0.1'], [-1], ['NaN'], [null]])('an energy of a device that is %s is none', (cap) => {
  expect(read({ day_cap: cap }).todayEnergyKwh).toBeNull();
});

test('a day may begin within a millisecond', () => {
  const row = { stationCode: 'NE=1', collectTime: '1775019600000.5', dataItemMap: {} };
  expect(dateOf(row, 'America/Bogota')).toBe('2026-04-01');
});

describe('firstDatesByMonth', () => {
  test.each([
    ['2026-05-01', '2026-05-31', ['2026-05-01']],
    ['2026-05-31', '2026-06-01', ['2026-05-31', '2026-06-01']],
    ['2026-12-30', '2027-03-01', ['2026-12-30', '2027-01-01', '2027-02-01', '2027-03-01']],
    ['2028-02-29', '2028-02-29', ['2028-02-29']],
    ['2026-05-02', '2026-05-01', []],
  ])('%s to %s asks %j', (from, to, dates) => {
    expect(firstDatesByMonth(from, to)).toEqual(dates);
  });
});

describe('an alarm', () => {
  const row = { alarmId: '2062', raiseTime: 1_777_716_000_000 };

  test('without any words is named by its code', () => {
    expect(alarmOf(row)).toMatchObject({ text: 'alarm 2062', deviceSn: null, vendorLevel: '' });
  });

  test('says its name once where the cause repeats it', () => {
    expect(alarmOf({ ...row, alarmName: 'Grid Loss', alarmCause: 'Grid Loss ' }).text).toBe(
      'Grid Loss',
    );
  });
});
