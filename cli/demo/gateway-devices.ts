import {
  measure,
  ordinaryDay,
  type SimulatedPlant,
} from '../../adapters/clouds/recorded/fixture-day.ts';
import { evenTemper, type Temper } from '../../stack/gateways/behaviour.ts';
import { type DayCurve, smoothed } from '../../stack/gateways/day-curve.ts';
import type { FarmGateway } from '../../stack/gateways/farm.ts';
import { floatMeter } from '../../stack/gateways/float-meter.ts';
import { huaweiInverter } from '../../stack/gateways/huawei-inverter.ts';
import { Device, type DeviceModel } from '../../stack/gateways/registers.ts';
import { sunSpecInverter } from '../../stack/gateways/sunspec-inverter.ts';
import { demoPlantsAt } from './fleet.ts';

/** The devices behind the four gateways of a demo: each measures what the cloud of its plant shows. */

export interface DemoDevice {
  id: string;
  plantId: string;
  unitId: number;
  model: DeviceModel;
  temper: Temper;
}

/** As the recorded cloud of the plants plays it. */
const capacityKw = 10;
/** The recorded curves move in steps of five minutes. */
const curveStepMs = 300_000;

/** In the order of their ports. */
export const demoDevices: readonly DemoDevice[] = [
  {
    id: 'canal-inverter',
    plantId: 'solis-canal',
    unitId: 1,
    model: sunSpecInverter({ serial: 'SIM-CANAL-1', capacityKw }),
    temper: evenTemper,
  },
  {
    id: 'olive-inverter',
    plantId: 'huawei-olive',
    unitId: 1,
    model: huaweiInverter({ serial: 'SIM-OLIVE-1', capacityKw }),
    temper: evenTemper,
  },
  {
    id: 'wharf-meter',
    plantId: 'goodwe-wharf',
    unitId: 1,
    model: floatMeter({ registersMax: 50 }),
    temper: evenTemper,
  },
  {
    id: 'mill-logger',
    plantId: 'dele-mill',
    unitId: 1,
    model: floatMeter(),
    // Never ten minutes of failures in a row: that would disable it.
    temper: {
      minutes: [
        'REFUSES_RANGE',
        'SILENT',
        'WRONG_UNIT',
        'BUSY',
        'CLOSES',
        'GOOD',
        'LATE',
        'WRONG_LENGTH',
        'WORD_ORDER',
      ],
      // Frequency and import.
      refused: { from: 0x46, to: 0x49 },
    },
  },
];

/** @param ports one for each device. */
export function demoFarmGateways(ports: readonly number[]): FarmGateway[] {
  const plants = demoPlantsAt(0);
  return demoDevices.map(({ id, plantId, unitId, model, temper }, n) => {
    const plant = plants.find((one) => one.id === plantId);
    const port = ports[n];
    if (plant === undefined) throw new Error(`the demo has no plant ${plantId}`);
    if (port === undefined) throw new Error(`--demo needs ${demoDevices.length} ports`);
    const { vendor_plant_id: vendorPlantId, timezone, latitude, longitude } = plant;
    const curve = plantCurve({ vendorPlantId, timezone, latitude, longitude, capacityKw });
    return {
      id,
      host: '127.0.0.1',
      port,
      devices: new Map([[unitId, new Device(model, curve)]]),
      temper,
    };
  });
}

/** What the plant's cloud shows, without its steps. */
function plantCurve(plant: SimulatedPlant): DayCurve {
  return smoothed((atMs) => {
    const { powerW, todayEnergyKwh, lifetimeEnergyKwh } = measure(plant, ordinaryDay, atMs);
    return { powerW, todayKwh: todayEnergyKwh, lifetimeKwh: lifetimeEnergyKwh };
  }, curveStepMs);
}
