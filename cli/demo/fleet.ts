import type { NewPlant } from '../../db/plants/plants.ts';
import { brands, type Brand } from '../../domain/plants/plant.ts';
import { hourMs } from '../../domain/zone.ts';

/** The demo's fleet: twelve plants with known faults, three of each brand, and any number of ordinary plants. */

export interface DemoPlant extends Pick<
  NewPlant,
  | 'id'
  | 'name'
  | 'brand'
  | 'vendor_plant_id'
  | 'timezone'
  | 'latitude'
  | 'longitude'
  | 'installed_capacity_kw'
  | 'customer_id'
> {
  /** Plants of a brand share one login, except the plant whose login fails and the one that SEMS+ serves. */
  account: string;
  /** False: waits for its documents and is not polled yet. */
  active: boolean;
  /** True: status profile STRICT, whose 2 h are wall clock: a plant that sends nothing at night fails every night. */
  strict?: boolean;
}

const place = (timezone: string, latitude: number, longitude: number) => ({
  timezone,
  latitude,
  longitude,
});

/** The account that SEMS+ serves; the other accounts of GoodWe are of SEMS. */
const semsPlusAccount = 'goodwe-plus';

/** What the credentials of an account choose, besides their secrets. */
export const demoChoices: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [semsPlusAccount]: { portal: 'SEMS_PLUS' },
};

/** What most of the demo's plants have in common. */
const usual = { active: true, installed_capacity_kw: 10 };

type Described = Omit<DemoPlant, keyof typeof usual | 'account'> & Partial<DemoPlant>;

const described: readonly Described[] = [
  {
    id: 'solis-canal',
    name: 'Canal House',
    brand: 'SOLIS',
    customer_id: 'noord',
    vendor_plant_id: '1298491919448631801',
    ...place('Europe/Amsterdam', 52.37, 4.9),
  },
  {
    id: 'solis-cycle',
    name: 'Fault every six minutes',
    brand: 'SOLIS',
    customer_id: 'sul',
    vendor_plant_id: '1298491919448631830',
    ...place('America/Sao_Paulo', -23.55, -46.63),
  },
  {
    id: 'solis-silent',
    name: 'Silent logger',
    strict: true,
    brand: 'SOLIS',
    customer_id: 'sul',
    // Ends with the instant of its last measurement: see `demoPlantsAt`.
    vendor_plant_id: '129849192',
    ...place('Australia/Sydney', -33.87, 151.21),
  },
  {
    id: 'huawei-olive',
    name: 'Olive Press (STRICT)',
    strict: true,
    brand: 'HUAWEI',
    customer_id: 'sur',
    vendor_plant_id: 'NE=35000001',
    ...place('Europe/Madrid', 37.39, -5.99),
  },
  {
    id: 'huawei-shade',
    name: 'Fifth of its usual day',
    brand: 'HUAWEI',
    customer_id: 'sur',
    vendor_plant_id: 'NE=35000006',
    ...place('America/Bogota', 4.71, -74.07),
  },
  {
    id: 'huawei-dawn',
    name: "Yesterday's total at dawn",
    brand: 'HUAWEI',
    customer_id: 'noord',
    vendor_plant_id: 'NE=35000008',
    ...place('Asia/Kathmandu', 27.72, 85.32),
  },
  {
    id: 'goodwe-wharf',
    name: 'Wharf Store',
    brand: 'GOODWE',
    account: semsPlusAccount,
    customer_id: 'noord',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f11-000000000001',
    ...place('Australia/Adelaide', -34.93, 138.6),
  },
  {
    id: 'goodwe-late',
    name: 'Five hours behind',
    brand: 'GOODWE',
    customer_id: 'noord',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f10-000000000004',
    ...place('Europe/Berlin', 52.52, 13.4),
  },
  {
    id: 'goodwe-half',
    name: 'One inverter dead',
    brand: 'GOODWE',
    customer_id: 'sul',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f10-000000000010',
    ...place('America/Denver', 39.74, -104.99),
  },
  {
    id: 'dele-mill',
    name: 'Old Mill',
    brand: 'DELE',
    customer_id: 'sur',
    vendor_plant_id: '60000001',
    ...place('Africa/Johannesburg', -26.2, 28.05),
  },
  {
    id: 'dele-refused',
    name: 'Refused password',
    brand: 'DELE',
    account: 'dele-refused',
    customer_id: 'sul',
    vendor_plant_id: '60000047',
    ...place('America/Mexico_City', 19.43, -99.13),
  },
  {
    id: 'dele-papers',
    name: 'Waiting for its papers',
    brand: 'DELE',
    active: false,
    customer_id: 'noord',
    vendor_plant_id: '90000001',
    ...place('Asia/Tokyo', 35.68, 139.69),
  },
];

/** The silent plant of a new demo was measured last so long ago; from then on its silence grows, ms. */
const silentForMs = 26 * hourMs;

/**
 * The twelve plants of a demo that begins at an instant. `fixtures/<brand>/plants.json` names the scenario of each vendor
 * plant id.
 */
export function demoPlantsAt(beginsAtMs: number): DemoPlant[] {
  const silentSinceS = Math.floor((beginsAtMs - silentForMs) / 1_000);
  return described.map((plant): DemoPlant => ({
    ...usual,
    account: mainAccount(plant.brand),
    ...plant,
    ...(plant.id === 'solis-silent'
      ? { vendor_plant_id: `${plant.vendor_plant_id}${silentSinceS}` }
      : {}),
  }));
}

function mainAccount(brand: Brand): string {
  return `${brand.toLowerCase()}-main`;
}

/** Vendor plant ids of generated plants, as `plants.json` knows them. */
const generatedVendorId: Record<Brand, (n: number) => string> = {
  SOLIS: (n) => `13000000000000${String(n).padStart(5, '0')}`,
  HUAWEI: (n) => `NE=9${String(n).padStart(7, '0')}`,
  GOODWE: (n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  DELE: (n) => `9${String(n).padStart(7, '0')}`,
};

const generatedPlaces = [
  place('Europe/Lisbon', 38.72, -9.14),
  place('Europe/Amsterdam', 52.37, 4.9),
  place('America/Sao_Paulo', -23.55, -46.63),
  place('Asia/Kolkata', 19.08, 72.88),
  place('Australia/Perth', -31.95, 115.86),
  place('America/Denver', 39.74, -104.99),
];

/** The n-th generated ordinary plant, n from 0; brands and places take turns. */
export function generatedPlant(n: number): DemoPlant {
  const brand = brands[n % brands.length] as Brand;
  return {
    id: `gen-${String(n).padStart(5, '0')}`,
    name: `Ordinary plant ${n}`,
    brand,
    account: mainAccount(brand),
    active: true,
    customer_id: null,
    vendor_plant_id: generatedVendorId[brand](n),
    ...(generatedPlaces[n % generatedPlaces.length] as ReturnType<typeof place>),
    installed_capacity_kw: null,
  };
}
