/**
 * raw × scale + offset without the noise of binary fractions: 3 × 0.1 is 0.3. A raw value beyond 2⁵³ keeps all its digits
 * until the result is rounded once.
 */

interface Decimal {
  /** value = digits × 10^exponent. */
  digits: number;
  exponent: number;
}

const exactMax = Number.MAX_SAFE_INTEGER;
/** The largest power of ten that a double holds exactly. */
const exactPowerMax = 22;

/**
 * @param raw an integer, or a float as the device measured it.
 * @param scaleFactor a further power of ten.
 * @returns raw × scale × 10^scaleFactor + offset, rounded once for integers.
 */
export function decimalValue(
  raw: bigint | number,
  scale: number,
  offset: number,
  scaleFactor: number,
): number {
  if (typeof raw === 'number' && !Number.isInteger(raw))
    return raw * scale * 10 ** scaleFactor + offset;
  if (scale === 1 && offset === 0 && scaleFactor === 0) return Number(raw);
  const by = decimalOf(scale);
  const product = { digits: Number(raw) * by.digits, exponent: by.exponent + scaleFactor };
  const plus = decimalOf(offset);
  const exponent = offset === 0 ? product.exponent : Math.min(product.exponent, plus.exponent);
  const sum =
    product.digits * 10 ** (product.exponent - exponent) +
    (offset === 0 ? 0 : plus.digits * 10 ** (plus.exponent - exponent));
  const isExact =
    Math.abs(Number(raw)) <= exactMax &&
    Math.abs(product.digits) <= exactMax &&
    Math.abs(sum) <= exactMax &&
    Math.abs(exponent) <= exactPowerMax;
  if (isExact) return exponent < 0 ? sum / 10 ** -exponent : sum * 10 ** exponent;
  return roundedOnce(raw, { by, plus, scaleFactor });
}

function roundedOnce(
  raw: bigint | number,
  { by, plus, scaleFactor }: { by: Decimal; plus: Decimal; scaleFactor: number },
): number {
  if (typeof raw === 'number' && !Number.isFinite(raw)) return raw;
  const productExponent = by.exponent + scaleFactor;
  const exponent = Math.min(productExponent, plus.exponent);
  const sum =
    BigInt(raw) * BigInt(by.digits) * 10n ** BigInt(productExponent - exponent) +
    BigInt(plus.digits) * 10n ** BigInt(plus.exponent - exponent);
  return Number(`${sum}e${exponent}`);
}

/** Scales and offsets come from point lists: there are few different ones. */
const known = new Map<number, Decimal>();
const knownMax = 1_000;

/** The decimal that people wrote for a number. */
function decimalOf(value: number): Decimal {
  const before = known.get(value);
  if (before !== undefined) return before;
  const [, digits = '0', fraction = '', exponent = '0'] =
    /^(-?\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) ?? [];
  const decimal = {
    digits: Number(digits + fraction),
    exponent: Number(exponent) - fraction.length,
  };
  if (known.size >= knownMax) known.clear();
  known.set(value, decimal);
  return decimal;
}
