import {
  listOverloadedSockets,
  listUnwantedPolls,
  listWatchedGateways,
  type SocketLoad,
  type WatchedGateway,
} from '../../db/gateways/diagnosis.ts';
import type { IssueWord } from '../../domain/gateways/issues.ts';
import { counted, durationText } from '../../domain/wording.ts';
import {
  type Fact,
  type Inspection,
  type Judgement,
  type Look,
  type Services,
  valueOf,
} from '../diagnosis.ts';
import { orphanedLocks } from './locks.ts';
import {
  gatewayWorkers,
  shardCount,
  type ShardState,
  type ShardView,
  shardViews,
} from './shards.ts';

/** Checks gateway by gateway whether what people want polled is polled, on its interval, and nothing else is. */

/** A new gateway, or a changed period, is in force within a minute. */
const settledWithinMs = 60_000;
/** The part of the time that the polls of one socket may take: more leaves no room for a retry. */
const loadMax = 0.9;

/** What a person does about a finding of each kind. */
const advice = {
  missing_polling:
    'The end of each sentence says why. `heliograph diagnose --fix` starts shards that do not run; `heliograph polling start --gateway ID` opens the period anew.',
  overdue_polling:
    'The end of each sentence says why. If its walker does not get to it, see the log of the worker.',
  interval_mismatch:
    'Pause and resume the gateway: `heliograph polling stop --gateway ID`, then `heliograph polling start --gateway ID`.',
  unwanted_polling:
    'An old walker, or another program on this database, polls it: `heliograph audit --processes` lists pollers of this machine.',
  orphaned_lock: '`heliograph diagnose --fix` deletes it.',
  budget_exceeded:
    'Poll less often, read fewer points, shorten the pauses of its quirks, or divide the units among more sockets.',
} as const satisfies Partial<Record<IssueWord, string>>;

export const inspectGateways: Fact<Inspection> = async (services, look) => {
  const { db, clock } = services;
  const nowMs = clock();
  const gateways = await listWatchedGateways(db, nowMs, shardCount(services));
  const views = valueOf(await look(shardViews));
  const workers = valueOf(await look(gatewayWorkers)).length;
  const wanted = gateways.filter((one) => one.wanted);
  const judgements = [
    ...wanted.flatMap((one) => judgeWanted(one, { nowMs, views, workers })),
    ...(await judgeUnwanted(services, gateways, nowMs)),
    ...(await listOverloadedSockets(db, nowMs, loadMax)).flatMap(judgeLoad),
    ...(await judgeLocks(services, look)),
  ];
  const onTime = wanted.filter((one) => !one.unpolled).length;
  const counts = {
    gateways: gateways.length,
    gateways_due: wanted.length,
    gateways_on_time: onTime,
  };
  const summary =
    gateways.length === 0
      ? ''
      : `${counted(gateways.length, 'gateway')}, ${wanted.length} due: ${onTime} without an overdue slot`;
  return { counts, summary, judgements };
};

function judged(
  kind: keyof typeof advice,
  gatewayId: string,
  sentence: string,
  at: string | null = null,
): Judgement {
  const facts = { gateway_id: gatewayId, at };
  return { kind, state: 'degraded', facts, sentence, advice: advice[kind] };
}

interface Seen {
  nowMs: number;
  views: readonly ShardView[];
  workers: number;
}

/** What is wrong with a gateway that people want polled. */
function judgeWanted(gateway: WatchedGateway, seen: Seen): Judgement[] {
  const { id, period, intervalS, unpolled, newestAt, createdAt } = gateway;
  if (period?.reason !== 'ACTIVE') {
    const sinceMs = period === null ? createdAt.getTime() : Date.parse(period.fromAt);
    if (sinceMs > seen.nowMs - settledWithinMs) return [];
    const open =
      period === null ? 'it has no open period' : `its open period says ${period.reason}`;
    return [judged('missing_polling', id, `Its row asks for polls, and ${open}.`)];
  }
  const found: Judgement[] = [];
  if (period.intervalS !== intervalS)
    found.push(
      judged(
        'interval_mismatch',
        id,
        `It is polled every ${period.intervalS} s, and its row says ${intervalS} s.`,
      ),
    );
  if (!unpolled) return found;
  const why = whyUnpolled(gateway, seen);
  const fromMs = Date.parse(period.fromAt);
  if (newestAt === null || newestAt.getTime() < fromMs) {
    const dueText = durationText(Math.max(0, seen.nowMs - fromMs));
    const sentence = `It has been due for ${dueText} and has no row: ${why}.`;
    return [...found, judged('missing_polling', id, sentence, new Date(fromMs).toISOString())];
  }
  const ageText = durationText(Math.max(0, seen.nowMs - newestAt.getTime()));
  const sentence = `Its newest row is ${ageText} old, at an interval of ${intervalS} s: ${why}.`;
  return [...found, judged('overdue_polling', id, sentence, newestAt.toISOString())];
}

function whyUnpolled({ shard }: WatchedGateway, { views, workers }: Seen): string {
  if (workers === 0) return 'no worker walks gateways';
  const state = views.find((view) => view.shard === shard)?.state ?? 'FREE';
  const words: Readonly<Record<ShardState, string>> = {
    FREE: `nobody walks shard ${shard}`,
    DEAD_OWNER: `the walker of shard ${shard} has died`,
    STUCK: `the walker of shard ${shard} does not get on`,
    WALKED: `the walker of shard ${shard} polls others and not it`,
    IDLE: `the walker of shard ${shard} does not know it yet`,
  };
  return words[state];
}

/** Gateways that are not due, and are polled, or would be. */
async function judgeUnwanted(
  { db }: Pick<Services, 'db'>,
  gateways: readonly WatchedGateway[],
  nowMs: number,
): Promise<Judgement[]> {
  const open = gateways.filter(({ wanted, period }) => !wanted && period?.reason === 'ACTIVE');
  const polled = await listUnwantedPolls(db, nowMs);
  return [
    ...open.map(({ id }) =>
      judged('unwanted_polling', id, 'It is not to be polled, and its open period says ACTIVE.'),
    ),
    ...polled.map(({ id, reason, polls, newestAt }) => {
      const sentence = `It is ${reason === 'NO_PERIOD' ? 'not due' : reason}, and was polled ${counted(polls, 'time')} in the last 10 min.`;
      return judged('unwanted_polling', id, sentence, newestAt.toISOString());
    }),
  ];
}

function judgeLoad({ host, port, gatewayIds, load, overruns }: SocketLoad): Judgement[] {
  const needs = `The polls of ${host}:${port} take ${Math.round(load * 100)} % of the time`;
  const missed =
    overruns === 0
      ? ''
      : `, and ${counted(overruns, 'slot was', 'slots were')} missed for that in 10 min`;
  return gatewayIds.map((id) => judged('budget_exceeded', id, `${needs}${missed}.`));
}

async function judgeLocks(services: Services, look: Look): Promise<Judgement[]> {
  if (services.listLocks === undefined) return [];
  const locks = valueOf(await look(orphanedLocks));
  return locks.map(({ gatewayId, sentence }) => judged('orphaned_lock', gatewayId, `${sentence}.`));
}
