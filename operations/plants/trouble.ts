import {
  type FailingAccount,
  type FailingPlant,
  type FleetTrouble,
  readFleetTrouble,
} from '../../db/plants/trouble.ts';
import type { IncidentView } from '../../db/plants/incidents.ts';
import { counted, localTimeText, sentenceOf } from '../../domain/wording.ts';
import { failedPollsMax } from '../../domain/plants/alerts.ts';
import type { Component, Fact, Judgement } from '../diagnosis.ts';
import type { ReaderZone } from '../../domain/zone.ts';
import { incidentWords } from './incidents.ts';

/**
 * The fleet's components of the diagnosis: what fails although Heliograph itself works. They make up the state of the fleet,
 * never that of the system: a load balancer must not take an API out of service because a vendor is away.
 */

export const fleetTrouble: Fact<FleetTrouble> = ({ db }) => readFleetTrouble(db);

const away: Judgement = {
  state: 'degraded',
  sentence: 'What fails in the fleet is not known while PostgreSQL is away.',
};

export const incidents: Component<FleetTrouble> = {
  name: 'incidents',
  part: 'plants',
  about: 'FLEET',
  fact: fleetTrouble,
  judge({ incidents: open }, { takenAtMs, zone }) {
    if (open.length === 0) return { state: 'ok', sentence: 'No incident is open.' };
    const ours = open.some(({ brand }) => brand === null);
    return {
      state: ours ? 'down' : 'degraded',
      sentence: open.map((incident) => incidentWords(incident, takenAtMs, zone)).join(' '),
      advice: ours
        ? 'Look at the network of the workers: no vendor answers them.'
        : "Look at the vendor's own status page. The alerts of these plants are kept and not announced until it answers.",
      subjects: open.map((incident) => incidentSubject(incident, takenAtMs, zone)),
    };
  },
  away,
};

export const accounts: Component<FleetTrouble> = {
  name: 'accounts',
  part: 'plants',
  about: 'FLEET',
  fact: fleetTrouble,
  judge({ accounts: failing }, { zone }) {
    if (failing.length === 0)
      return { state: 'ok', sentence: 'No account is refused or without credentials.' };
    const plants = failing.reduce((sum, account) => sum + account.plants, 0);
    return {
      state: 'degraded',
      sentence: `${counted(failing.length, 'account fails', 'accounts fail')}, and ${counted(plants, 'plant is', 'plants are')} not polled for that: ${kindsText(failing, ({ reason }) => accountWords[reason])}.`,
      advice: 'Store credentials: `heliograph plants credentials ACCOUNT`.',
      subjects: failing.map((account) => accountSubject(account, zone)),
    };
  },
  away,
};

export const failingPlants: Component<FleetTrouble> = {
  name: 'plants',
  about: 'FLEET',
  fact: fleetTrouble,
  judge({ plants }, { zone }) {
    const lasting = plants.filter(isLasting);
    const brief = plants.length - lasting.length;
    const [longest] = lasting;
    const other = longest === undefined ? '' : 'other ';
    const others =
      brief === 0
        ? ''
        : ` The newest poll of ${counted(brief, `${other}plant`)} failed, which may be chance.`;
    if (longest === undefined) {
      const sentence = brief === 0 ? 'No plant fails.' : `No plant fails lastingly.${others}`;
      return { state: 'ok', sentence };
    }
    return {
      state: 'degraded',
      sentence: `${counted(lasting.length, 'plant fails', 'plants fail')}, the longest since ${timeText(longest.since, zone)}: ${kindsText(lasting, ({ error_type }) => error_type)}.${others}`,
      advice: '`heliograph why ID` shows the newest poll of a plant and what follows from it.',
      subjects: lasting.map((plant) => plantSubject(plant, zone)),
    };
  },
  away,
};

/** One failed poll is weather. An incident, a row of failures, or a plant that its vendor refuses is not. */
function isLasting({ failures, error_type, error_scope, incident_id }: FailingPlant): boolean {
  const isRefused =
    error_type === 'PLANT_NOT_FOUND' || (error_type === 'AUTH_FAILED' && error_scope === 'PLANT');
  return incident_id !== null || isRefused || failures >= failedPollsMax;
}

const accountWords = {
  NO_CREDENTIALS: 'without credentials',
  UNUSABLE_CREDENTIALS: 'with credentials that cannot be used',
  REFUSED_CREDENTIALS: 'refused by the vendor',
} as const satisfies Record<FailingAccount['reason'], string>;

/** "21 VENDOR_ERROR, 2 PLANT_NOT_FOUND". */
function kindsText<One>(all: readonly One[], kindOf: (one: One) => string): string {
  return [...Map.groupBy(all, kindOf)].map(([kind, ones]) => `${ones.length} ${kind}`).join(', ');
}

function incidentSubject(incident: IncidentView, nowMs: number, zone: ReaderZone): Subject {
  return {
    kind: 'INCIDENT_OPEN',
    facts: { incident: incident.brand ?? 'ALL', at: incident.since.toISOString() },
    sentence: incidentWords(incident, nowMs, zone),
  };
}

function accountSubject(
  { account_id, reason, message, since, plants }: FailingAccount,
  zone: ReaderZone,
): Subject {
  const why = message === null ? '.' : `: ${sentenceOf(message)}`;
  return {
    kind: 'ACCOUNT_FAILS',
    facts: { account_id, at: since.toISOString() },
    sentence: `${counted(plants, 'plant is', 'plants are')} not polled, ${accountWords[reason]} since ${timeText(since, zone)}${why}`,
  };
}

function plantSubject(
  { plant_id, since, failures, error_type, error }: FailingPlant,
  zone: ReaderZone,
): Subject {
  return {
    kind: 'PLANT_FAILS',
    facts: { plant_id, at: since.toISOString() },
    sentence: `${counted(failures, 'poll')} failed since ${timeText(since, zone)}, the last with ${error_type}${error === null ? '.' : `: ${sentenceOf(error)}`}`,
  };
}

/** By the reader's clock, else by UTC: the sentences are about many plants. */
const timeText = (at: Date, zone: ReaderZone): string => localTimeText(at.getTime(), zone ?? 'UTC');

type Subject = NonNullable<Judgement['subjects']>[number];
