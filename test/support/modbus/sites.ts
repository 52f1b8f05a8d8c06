import { noQuirks, type Quirks } from '../../../domain/gateways/gateway.ts';
import { parseNetworks } from '../../../domain/gateways/network.ts';
import {
  type Learned,
  nothingLearned,
  type ResolvedPoint,
} from '../../../domain/gateways/read-plan.ts';
import {
  createSites,
  type ModbusSite,
  type SitePollResult,
  type Sites,
  type SitesOptions,
} from '../../../adapters/modbus/site.ts';

/** Points, and sites that may dial loopback. */

/** A uint16 of unit 1 with function 3 at address 0, unless told otherwise. */
export function resolvedPoint(of: Partial<ResolvedPoint> = {}): ResolvedPoint {
  const { unitId = 1, address = 0 } = of;
  return {
    key: `point_${unitId}_${address}`,
    name: 'Point',
    unitId,
    function: 3,
    address,
    scaleFactorAddress: null,
    documented: null,
    sunspec: null,
    type: 'uint16',
    order: 'ABCD',
    registers: 1,
    bit: null,
    scale: 1,
    offset: 0,
    unit: null,
    kind: 'GAUGE',
    range: { min: null, max: null },
    sentinels: [],
    maxRatePerHour: null,
    ...of,
  };
}

/** Points of one register each, at these addresses. */
export function registerPoints(
  addresses: readonly number[],
  of: Partial<ResolvedPoint> = {},
): ResolvedPoint[] {
  return addresses.map((address) => resolvedPoint({ ...of, address }));
}

/** Sites that may dial 127.0.0.1; a request may take 250 ms. */
export function testSites(options: Partial<SitesOptions> = {}): Sites {
  return createSites({
    networks: parseNetworks('127.0.0.0/8'),
    requestTimeoutMs: 250,
    ...options,
  });
}

/** One gateway that is polled again and again, and remembers what it learned. */
export function testGateway(
  site: ModbusSite,
  points: readonly ResolvedPoint[],
  quirks: Partial<Quirks> = {},
) {
  const all = { ...noQuirks, ...quirks };
  const gateway = {
    learned: nothingLearned as Learned,
    /** One poll. */
    async poll(
      more: { deadlineMs?: number; signal?: AbortSignal; ignoresBackOff?: boolean } = {},
    ): Promise<SitePollResult> {
      const { learned } = gateway;
      const result = await site.poll({
        points,
        quirksOf: () => all,
        learned,
        deadlineMs: 5_000,
        ...more,
      });
      gateway.learned = result.learned ?? learned;
      return result;
    },
  };
  return gateway;
}

/** Each point in short: its value as an unsigned number, `n·10^f` with a scale factor, `!2` for exception 2, or a word. */
export function inShort({ points }: Pick<SitePollResult, 'points'>): (number | string)[] {
  return points.map((point) => {
    if (point.kind === 'EXCEPTION') return `!${point.code}`;
    if (point.kind !== 'BITS') return point.kind;
    const value = point.bytes.reduce((all, byte) => all * 256 + byte, 0);
    return point.scaleFactor === null ? value : `${value}·10^${point.scaleFactor}`;
  });
}
