/** Flags that describe a gateway, in the form of FILE.json. */

const fields = {
  host: 'host',
  port: 'port',
  name: 'name',
  interval: 'poll_interval_s',
  priority: 'priority',
  plant: 'plant_id',
  customer: 'customer_id',
} as const;

export const gatewayFlags = Object.keys(fields) as (keyof typeof fields)[];

const numbers: ReadonlySet<string> = new Set(['port', 'interval']);

/** The given flags as fields of FILE.json; `none` is no plant or customer. */
export function flagsJson(
  flags: Readonly<Partial<Record<string, string>>>,
): Record<string, unknown> {
  return Object.fromEntries(
    gatewayFlags.flatMap((flag) => {
      const text = flags[flag];
      if (text === undefined) return [];
      const value = numbers.has(flag) && /^\d+$/.test(text) ? Number(text) : text;
      return [[fields[flag], text === 'none' ? null : value]];
    }),
  );
}
