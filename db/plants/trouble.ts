import type { AdapterErrorType, Brand, FailureScope } from '../../domain/plants/plant.ts';
import { type Db, query } from '../database.ts';
import type { IncidentView } from './incidents.ts';
import { failsWithBrand, listIncidents } from './incidents.ts';
import { allPlants } from '../scope.ts';

/** What fails in the fleet, while the system itself is well: incidents, accounts and plants. */

/** An ACTIVE plant whose newest poll failed. */
export interface FailingPlant {
  plant_id: string;
  brand: Brand;
  /** The first of its failed polls in a row. */
  since: Date;
  /** Number of failed polls in a row. */
  failures: number;
  error_type: AdapterErrorType;
  error_scope: FailureScope;
  error: string | null;
  /** The open incident that explains it. */
  incident_id: number | null;
}

/** An account whose plants are paused, or about to be, because its credentials are of no use. */
export interface FailingAccount {
  account_id: string;
  brand: Brand;
  reason: 'NO_CREDENTIALS' | 'UNUSABLE_CREDENTIALS' | 'REFUSED_CREDENTIALS';
  /** What was refused, as a sentence; null without credentials. */
  message: string | null;
  since: Date;
  /** Number of its plants that are not polled for that. */
  plants: number;
}

export interface FleetTrouble {
  /** Open ones. */
  incidents: IncidentView[];
  /** By id. */
  accounts: FailingAccount[];
  /** Those that have failed longest first. */
  plants: FailingPlant[];
}

/** Everything that fails now, in one reading. */
export async function readFleetTrouble(db: Db): Promise<FleetTrouble> {
  const [incidents, accounts, plants] = await Promise.all([
    listIncidents(db, { state: 'open' }, allPlants),
    listFailingAccounts(db),
    listFailingPlants(db),
  ]);
  return { incidents, accounts, plants };
}

async function listFailingAccounts(db: Db): Promise<FailingAccount[]> {
  return query(db)<FailingAccount>`
    select a.id as account_id, a.brand, a.refusal_message as message, count(*)::int as plants,
      case when c.account_id is null then 'NO_CREDENTIALS' when a.refusal = 'UNUSABLE' then 'UNUSABLE_CREDENTIALS'
        else 'REFUSED_CREDENTIALS' end as reason,
      coalesce(a.refused_at, min(p.failing_since), min(p.status_since)) as since
    from plants p
    join vendor_accounts a on a.id = p.vendor_account_id
    left join integration_credentials c on c.account_id = a.id
    where p.integration_status = 'PAUSED_AUTH_ERROR' or (p.integration_status = 'ACTIVE' and c.account_id is null)
    group by a.id, c.account_id
    order by a.id`;
}

async function listFailingPlants(db: Db): Promise<FailingPlant[]> {
  return query(db)<FailingPlant>`
    select p.id as plant_id, p.brand, coalesce(p.failing_since, p.last_slot) as since, p.consecutive_failures as failures,
      p.last_poll ->> 'errorType' as error_type, failure_scope(p.last_poll) as error_scope, p.last_poll ->> 'error' as error,
      case when ${failsWithBrand} then (
        select i.id from brand_incidents i
        where i.opened_at is not null and i.closed_at is null and (i.brand = p.brand or i.brand is null)
        order by i.brand nulls first limit 1) end as incident_id
    from plants p
    where p.integration_status = 'ACTIVE' and p.last_poll ->> 'outcome' = 'FAILED'
      and p.last_poll ->> 'credentials' is distinct from 'MISSING'
    order by since, p.id`;
}
