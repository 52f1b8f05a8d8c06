import type { GatewayPulse } from '../../db/gateways/diagnosis.ts';
import { type FailingGateway, listFailingGateways } from '../../db/gateways/diagnosis.ts';
import { gatewayStatuses } from '../../domain/gateways/gateway.ts';
import { issueOfReason } from '../../domain/gateways/issues.ts';
import { hasStopped } from '../../domain/stopped.ts';
import { counted, durationText, localTimeText, sentenceOf } from '../../domain/wording.ts';
import type { ReaderZone } from '../../domain/zone.ts';
import type { Component, Fact, Judgement } from '../diagnosis.ts';
import { inspectGateways } from './inspect.ts';
import { gatewayPulse } from './shards.ts';

/** The gateways' components of the diagnosis: whether they are polled, and which of them fail. */

export const gatewayPolling: Component<GatewayPulse> = {
  name: 'gateway polling',
  part: 'gateways',
  fact: gatewayPulse,
  judge(pulse, { takenAtMs }) {
    const { gateways, active, unpolled, newestRowAt, byStatus } = pulse;
    const details = { gateways, due: active, not_polled: unpolled, by_status: byStatus };
    if (gateways === 0) return { state: 'ok', sentence: 'There is no gateway.', details };
    const age = newestRowAt === null ? null : Math.max(0, takenAtMs - newestRowAt.getTime());
    const newest =
      age === null ? 'there is no row yet' : `the newest row is ${durationText(age)} old`;
    if (unpolled === 0)
      return {
        state: 'ok',
        sentence: `${active} of ${counted(gateways, 'gateway')} ${active === 1 ? 'is' : 'are'} due and polled in time; ${newest}.`,
        details,
      };
    return {
      state: hasStopped(unpolled, active) ? 'down' : 'degraded',
      kind: 'overdue_polling',
      sentence: `${unpolled} of ${active} gateways that are due were not polled for 2 intervals and a minute; ${newest}.`,
      advice: '`heliograph validate` names them and says why each waits.',
      details,
    };
  },
  away: {
    state: 'down',
    sentence: 'Whether gateways are polled is not known while PostgreSQL is away.',
  },
  inspection: inspectGateways,
};

const failing: Fact<FailingGateway[]> = ({ db }) => listFailingGateways(db);

export const failingGateways: Component<FailingGateway[]> = {
  name: 'gateways',
  about: 'FLEET',
  fact: failing,
  judge(all, { zone }): Judgement {
    const [longest] = all;
    if (longest === undefined) return { state: 'ok', sentence: 'No gateway fails.' };
    const counts = gatewayStatuses.flatMap((status) => {
      const count = all.filter((one) => one.status === status).length;
      return count === 0 ? [] : [`${count} ${status}`];
    });
    return {
      state: 'degraded',
      kind: 'failing',
      sentence: `${counted(all.length, 'gateway fails', 'gateways fail')}, the longest since ${timeText(longest.since, zone)}: ${counts.join(', ')}.`,
      advice:
        '`heliograph gateways show ID` has the last polls of one, `heliograph gateways test HOST --unit N` asks its device.',
      subjects: all.flatMap((one) => failureSubjects(one, zone)),
    };
  },
  away: {
    state: 'degraded',
    sentence: 'Which gateways fail is not known while PostgreSQL is away.',
  },
};

/** What fails of a gateway: it, and each of its units that is silent. */
function failureSubjects(one: FailingGateway, zone: ReaderZone) {
  const { id, host, port, status, reason, message, since, silentUnits } = one;
  const facts = { gateway_id: id, at: since.toISOString() };
  const units = Object.entries(silentUnits).map(([unit, polls]) => ({
    kind: 'unit_silent',
    facts,
    sentence: `Unit ${unit} behind ${host}:${port} has not answered for ${counted(polls, 'poll')}.`,
  }));
  if (!['OFFLINE', 'DEGRADED', 'DISABLED'].includes(status)) return units;
  const word = issueOfReason(reason);
  if (word === 'unit_silent' && units.length > 0) return units;
  const why = message ?? reason ?? 'its device does not answer';
  const sentence = `${status} since ${timeText(since, zone)} at ${host}:${port}: ${sentenceOf(why)}`;
  return [{ kind: word, facts, sentence }, ...units];
}

const timeText = (at: Date, zone: ReaderZone): string => localTimeText(at.getTime(), zone ?? 'UTC');
