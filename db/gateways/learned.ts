import { canonicalHost } from '../../domain/gateways/gateway.ts';
import type { ReadFunction } from '../../domain/gateways/point.ts';
import { type Db, instant, msOf, query } from '../database.ts';
import { sql } from 'kysely';

/** What polls learned of the units behind a host and port: what they refuse, and where SunSpec's models begin. */

/** Where a socket goes. */
export interface SiteAddress {
  host: string;
  port: number;
}

/** A range that a unit refused. */
export interface StoredRefusal {
  unitId: number;
  function: ReadFunction;
  /** As sent. */
  address: number;
  /** Registers, or coils for functions 1 and 2. */
  count: number;
  /** Of the exception: 1, 2 or 3. */
  code: number;
  times: number;
  /** When it was refused last. */
  atMs: number;
}

/** What was refused at these addresses, by `siteKey`; addresses of which nothing is known are left out. */
export async function loadLearned(
  db: Db,
  sites: readonly SiteAddress[],
): Promise<Map<string, StoredRefusal[]>> {
  const rows = await query(db)<StoredRefusal & SiteAddress>`
    select host, port, unit_id as "unitId", function, address, registers as count, code, times,
      ${msOf(sql`refused_at`)} as "atMs"
    from gateway_learned where (host, port) in (select * from ${sitesOf(sites)})
    order by host, port, unit_id, function, address, registers`;
  return bySite(rows);
}

/** Rows by their address, which they then need no more. */
function bySite<Row>(rows: readonly (Row & SiteAddress)[]): Map<string, Row[]> {
  const sites = new Map<string, Row[]>();
  for (const { host, port, ...row } of rows) {
    const key = siteKey({ host, port });
    sites.set(key, [...(sites.get(key) ?? []), row as Row]);
  }
  return sites;
}

/** Names an address in maps. */
export function siteKey({ host, port }: SiteAddress): string {
  return `${canonicalHost(host)} ${port}`;
}

const sitesOf = (sites: readonly SiteAddress[]) =>
  sql`unnest(${sites.map(({ host }) => canonicalHost(host))}::text[], ${sites.map(({ port }) => port)}::int[])`;

/** Stores all that is refused at an address: what is not among it is forgotten. */
export async function saveLearned(
  db: Db,
  { host, port }: SiteAddress,
  refusals: readonly StoredRefusal[],
): Promise<void> {
  const site = canonicalHost(host);
  await query(db)`
    with given as (
      select * from unnest(${refusals.map((one) => one.unitId)}::int[], ${refusals.map((one) => one.function)}::int[],
        ${refusals.map((one) => one.address)}::int[], ${refusals.map((one) => one.count)}::int[],
        ${refusals.map((one) => one.code)}::int[], ${refusals.map((one) => one.times)}::int[],
        ${refusals.map((one) => instant(one.atMs))}::timestamptz[])
        as g (unit_id, function, address, registers, code, times, refused_at)),
    gone as (
      delete from gateway_learned l where l.host = ${site} and l.port = ${port} and not exists (
        select from given g where (g.unit_id, g.function, g.address, g.registers)
          = (l.unit_id, l.function, l.address, l.registers)))
    insert into gateway_learned as l (host, port, unit_id, function, address, registers, code, times, refused_at)
    select ${site}, ${port}, g.* from given g
    on conflict (host, port, unit_id, function, address, registers) do update
      set code = excluded.code, times = excluded.times, refused_at = excluded.refused_at`;
}

/** Where SunSpec's models of a unit begin, as domain/gateways/sunspec.ts found it. */
export interface StoredLayout {
  unitId: number;
  layout: unknown;
  foundAtMs: number;
}

/** The layouts found at these addresses, by `siteKey`; addresses without one are left out. */
export async function loadLayouts(
  db: Db,
  sites: readonly SiteAddress[],
): Promise<Map<string, StoredLayout[]>> {
  const rows = await query(db)<StoredLayout & SiteAddress>`
    select host, port, unit_id as "unitId", layout, ${msOf(sql`found_at`)} as "foundAtMs"
    from gateway_layouts where (host, port) in (select * from ${sitesOf(sites)}) order by host, port, unit_id`;
  return bySite(rows);
}

/** Stores the layout of a unit in place of an earlier one. */
export async function saveLayout(
  db: Db,
  { host, port }: SiteAddress,
  { unitId, layout, foundAtMs }: StoredLayout,
): Promise<void> {
  await query(db)`
    insert into gateway_layouts (host, port, unit_id, layout, found_at)
    values (${canonicalHost(host)}, ${port}, ${unitId}, ${JSON.stringify(layout)}::jsonb, ${instant(foundAtMs)})
    on conflict (host, port, unit_id) do update set layout = excluded.layout, found_at = excluded.found_at`;
}

/**
 * Forgets what was learned at an address, so that everything is asked again, and raises the revision of its gateways, by which
 * their walker hears of it.
 *
 * @param unitId null: of all units.
 */
export async function resetLearned(
  db: Db,
  { host, port }: SiteAddress,
  unitId: number | null,
): Promise<{ refusals: number; layouts: number }> {
  const site = canonicalHost(host);
  const isUnit = unitId === null ? sql`true` : sql`unit_id = ${unitId}`;
  const refusals = await query(db)`
    delete from gateway_learned where host = ${site} and port = ${port} and ${isUnit} returning host`;
  const layouts = await query(db)`
    delete from gateway_layouts where host = ${site} and port = ${port} and ${isUnit} returning host`;
  await query(db)`
    update gateways set revision = revision + 1
    where regexp_replace(lower(host), '[.]$', '') = ${site} and port = ${port} and removed_at is null`;
  return { refusals: refusals.length, layouts: layouts.length };
}
