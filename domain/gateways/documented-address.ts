import { named, natural, type Place, refuse } from './fields.ts';
import type { AddressNotation, ReadFunction } from './point.ts';

/** Addresses as data sheets count them, and as they are sent: from 0. */

interface DocumentedAddress {
  address: number;
  /** What the digit in front names; null: the notation has none. */
  function: ReadFunction | null;
  /** As given; null: as sent. */
  documented: { address: string; notation: AddressNotation } | null;
}

/** The tables of Modbus by the digit in front of an address. */
const tables: Readonly<Record<string, ReadFunction>> = { 0: 1, 1: 2, 3: 4, 4: 3 };

/**
 * An address as sent.
 *
 * @param json a number, or a text with decimal digits or 0x.
 * @returns undefined if it is refused.
 */
export function documentedAddress(
  json: unknown,
  { notation, place }: { notation: AddressNotation; place: Place },
): DocumentedAddress | undefined {
  const given = natural(json, place);
  if (given === undefined) return undefined;
  if (notation === 'sent') {
    if (given <= 0xffff) return { address: given, function: null, documented: null };
    return refuse(
      place,
      `must be at most 65535 as sent, not ${given}${likelyNotation(given)}`,
      'address_invalid',
    );
  }
  const written = { address: String(json).trim(), notation };
  if (notation === '1-based') {
    if (given >= 1 && given <= 0x1_0000)
      return { address: given - 1, function: null, documented: written };
    return refuse(
      place,
      `must be 1 to 65536 where addresses count from 1, not ${given}`,
      'address_invalid',
    );
  }
  const digits = notation.length;
  const text = String(given).padStart(digits, '0');
  const table = tables[text[0] ?? ''];
  const entry = Number(text.slice(1));
  const max = notation === '4xxxx' ? 9_999 : 0x1_0000;
  if (text.length === digits && table !== undefined && entry >= 1 && entry <= max)
    return { address: entry - 1, function: table, documented: written };
  return refuse(
    place,
    `must have ${digits} digits in the notation ${notation}: 0 (coils), 1 (discrete inputs), 3 (input registers) or 4 (holding registers), then 1 to ${max}; not ${named(json)}`,
    'address_invalid',
  );
}

function likelyNotation(given: number): string {
  return /^[0134]\d{5}$/.test(String(given))
    ? ': if the data sheet counts 400001, 400002 …, add "notation": "4xxxxx"'
    : '';
}
