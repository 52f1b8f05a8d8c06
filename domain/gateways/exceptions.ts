/** The exceptions of the Modbus application protocol, by code, in words. */
export const exceptionNames: Readonly<Partial<Record<number, string>>> = {
  1: 'illegal function',
  2: 'illegal data address',
  3: 'illegal data value',
  4: 'device failure',
  5: 'acknowledge: the device needs more time',
  6: 'device busy',
  7: 'negative acknowledge',
  8: 'memory parity error',
  10: 'gateway path unavailable',
  11: 'the target device does not answer the gateway',
};

/** An exception with its name: "exception 2 (illegal data address)". */
export function exceptionText(code: number): string {
  return `exception ${code} (${exceptionNames[code] ?? 'not in the standard'})`;
}
