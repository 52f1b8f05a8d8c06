import type { NewPlant } from '../../db/plants/plants.ts';
import { brands, type Brand } from '../../domain/plants/plant.ts';

/** The demo's fleet: twelve plants that show what monitoring meets, three of each brand, and ordinary ones by number. */

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
  /** Several plants of a brand share one login, but for those whose login is the story. */
  account: string;
  /** False: waits for its papers, is not polled yet. */
  active: boolean;
  /** True: by the locked 2 h to the letter, which a plant without a night's sign of life fails every night. */
  strict?: boolean;
}

const place = (timezone: string, latitude: number, longitude: number) => ({
  timezone,
  latitude,
  longitude,
});

/** The scenario that each plays is named by the vendor's plant id in `fixtures/<brand>/plants.json`. */
export const demoPlants: readonly DemoPlant[] = [
  {
    id: 'solis-canal',
    name: 'Canal House',
    brand: 'SOLIS',
    account: 'solis-main',
    active: true,
    customer_id: 'noord',
    vendor_plant_id: '1298491919448631801',
    installed_capacity_kw: 10,
    ...place('Europe/Amsterdam', 52.37, 4.9),
  },
  {
    id: 'solis-cycle',
    name: 'Fault every six minutes',
    brand: 'SOLIS',
    account: 'solis-main',
    active: true,
    customer_id: 'sul',
    vendor_plant_id: '1298491919448631830',
    installed_capacity_kw: 10,
    ...place('America/Sao_Paulo', -23.55, -46.63),
  },
  {
    id: 'solis-silent',
    name: 'Silent for 26 hours',
    brand: 'SOLIS',
    account: 'solis-main',
    active: true,
    customer_id: 'sul',
    vendor_plant_id: '1298491919448631803',
    installed_capacity_kw: 10,
    ...place('Australia/Sydney', -33.87, 151.21),
  },
  {
    id: 'huawei-olive',
    name: 'Olive Press (STRICT)',
    strict: true,
    brand: 'HUAWEI',
    account: 'huawei-main',
    active: true,
    customer_id: 'sur',
    vendor_plant_id: 'NE=35000001',
    installed_capacity_kw: 10,
    ...place('Europe/Madrid', 37.39, -5.99),
  },
  {
    id: 'huawei-shade',
    name: 'Fifth of its usual day',
    brand: 'HUAWEI',
    account: 'huawei-main',
    active: true,
    customer_id: 'sur',
    vendor_plant_id: 'NE=35000006',
    installed_capacity_kw: 10,
    ...place('America/Bogota', 4.71, -74.07),
  },
  {
    id: 'huawei-dawn',
    name: "Yesterday's total at dawn",
    brand: 'HUAWEI',
    account: 'huawei-main',
    active: true,
    customer_id: 'noord',
    vendor_plant_id: 'NE=35000008',
    installed_capacity_kw: 10,
    ...place('Asia/Kathmandu', 27.72, 85.32),
  },
  {
    id: 'goodwe-wharf',
    name: 'Wharf Store',
    brand: 'GOODWE',
    account: 'goodwe-main',
    active: true,
    customer_id: 'noord',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f10-000000000001',
    installed_capacity_kw: 10,
    ...place('Australia/Adelaide', -34.93, 138.6),
  },
  {
    id: 'goodwe-late',
    name: 'Five hours behind',
    brand: 'GOODWE',
    account: 'goodwe-main',
    active: true,
    customer_id: 'noord',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f10-000000000004',
    installed_capacity_kw: 10,
    ...place('Europe/Berlin', 52.52, 13.4),
  },
  {
    id: 'goodwe-half',
    name: 'One inverter dead',
    brand: 'GOODWE',
    account: 'goodwe-main',
    active: true,
    customer_id: 'sul',
    vendor_plant_id: '5e3f0c1a-7b2d-4c8e-9f10-000000000010',
    installed_capacity_kw: 10,
    ...place('America/Denver', 39.74, -104.99),
  },
  {
    id: 'dele-mill',
    name: 'Old Mill',
    brand: 'DELE',
    account: 'dele-main',
    active: true,
    customer_id: 'sur',
    vendor_plant_id: '60000001',
    installed_capacity_kw: 10,
    ...place('Africa/Johannesburg', -26.2, 28.05),
  },
  {
    id: 'dele-refused',
    name: 'Refused password',
    brand: 'DELE',
    account: 'dele-refused',
    active: true,
    customer_id: 'sul',
    vendor_plant_id: '60000047',
    installed_capacity_kw: 10,
    ...place('America/Mexico_City', 19.43, -99.13),
  },
  {
    id: 'dele-papers',
    name: 'Waiting for its papers',
    brand: 'DELE',
    account: 'dele-main',
    active: false,
    customer_id: 'noord',
    vendor_plant_id: '90000001',
    installed_capacity_kw: 10,
    ...place('Asia/Tokyo', 35.68, 139.69),
  },
];

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
    account: `${brand.toLowerCase()}-main`,
    active: true,
    customer_id: null,
    vendor_plant_id: generatedVendorId[brand](n),
    ...(generatedPlaces[n % generatedPlaces.length] as ReturnType<typeof place>),
    installed_capacity_kw: null,
  };
}
