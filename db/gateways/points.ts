import { createHash } from 'node:crypto';

import type { DataPoint, Sentinel, UnitPoint } from '../../domain/gateways/point.ts';
import { type Db, query } from '../database.ts';

/** Points as the database stores them, and the lists of points that readings follow. */

/** A point in JSON, which knows no integers of 64 bits: the bits of its sentinels are hexadecimal text. */
export type StoredPoint<Point extends DataPoint> = Omit<Point, 'sentinels'> & {
  sentinels: { bits: string; mask: string | null }[];
};

const hex = (bits: bigint) => `0x${bits.toString(16).toUpperCase()}`;

/** What the database stores of points. */
export function storedPoints<Point extends DataPoint>(
  points: readonly Point[],
): StoredPoint<Point>[] {
  return points.map((point) => ({
    ...point,
    sentinels: point.sentinels.map(({ bits, mask }) => ({
      bits: hex(bits),
      mask: mask === null ? null : hex(mask),
    })),
  }));
}

/** Points as the database stored them. */
export function loadedPoints<Point extends DataPoint>(
  points: readonly StoredPoint<Point>[],
): Point[] {
  return points.map((point) => {
    const sentinels = point.sentinels.map(({ bits, mask }): Sentinel => ({
      bits: BigInt(bits),
      mask: mask === null ? null : BigInt(mask),
    }));
    return { ...point, sentinels } as unknown as Point;
  });
}

/**
 * Stores lists of points, each once for all gateways that have it. @returns their ids, in the order of `lists`.
 */
export async function saveMaps(
  db: Db,
  lists: readonly (readonly UnitPoint[])[],
): Promise<number[]> {
  const maps = lists.map((points) => {
    const text = JSON.stringify(storedPoints(points));
    return { text, digest: createHash('sha256').update(text).digest() };
  });
  const texts = new Map(maps.map(({ text, digest }) => [digest.toString('hex'), text]));
  await query(db)`
    insert into gateway_maps (digest, points)
    select decode(digest, 'hex'), points from unnest(${[...texts.keys()]}::text[], ${[...texts.values()]}::jsonb[])
      as m (digest, points)
    where not exists (select from gateway_maps k where k.digest = decode(m.digest, 'hex'))
    on conflict do nothing`;
  const rows = await query(db)<{ id: number; digest: string }>`
    select id, encode(digest, 'hex') as digest from gateway_maps
    where digest in (select decode(d, 'hex') from unnest(${[...texts.keys()]}::text[]) as d)`;
  const ids = new Map(rows.map(({ id, digest }) => [digest, id]));
  return maps.map(({ digest }) => {
    const id = ids.get(digest.toString('hex'));
    if (id === undefined) throw new Error('a list of points was not stored');
    return id;
  });
}

/** Lists of points, by id. */
export async function loadMaps(
  db: Db,
  ids: readonly number[],
): Promise<Map<number, readonly UnitPoint[]>> {
  const rows = await query(db)<{ id: number; points: StoredPoint<UnitPoint>[] }>`
    select id, points from gateway_maps where id = any(${[...ids]}::int[])`;
  return new Map(rows.map(({ id, points }) => [id, loadedPoints(points)]));
}
