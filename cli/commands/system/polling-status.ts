import { type GatewayStanding, listGatewayStandings } from '../../../db/gateways/diagnosis.ts';
import { listPlants, type PlantView } from '../../../db/plants/plants.ts';
import { counted } from '../../../domain/wording.ts';
import { exitCodes } from '../../../environment/config.ts';
import { type Look, createLook, valueOf } from '../../../operations/diagnosis.ts';
import { haltSentence, openHalt } from '../../../operations/halt.ts';
import {
  checkJson,
  newestChecks,
  pollingSummary,
  summaryJson,
} from '../../../operations/polling-summary.ts';
import { readZone } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { nothing, outputWidth, print, timeCell, visibleText } from '../../render.ts';
import { type Fact as Line, factsText, right, tableText } from '../../table.ts';
import { isEmpty, type PollingTargets, readTargets, targetFlags } from './polling-targets.ts';
import { withSystem } from './services.ts';

/** `heliograph polling status`: whether plants and gateways are polled, by whom, and what the automatic checks found. */
export const pollingStatus: Command = {
  name: 'polling status',
  usage: '[--gateway ID] [--plant ID] [--detailed] [--json]',
  flags: targetFlags,
  switches: ['detailed'],
  async run(context) {
    const targets = readTargets(context);
    const zone = readZone(context) ?? 'UTC';
    const detailed = context.switches.has('detailed') || !isEmpty(targets);
    const seen = await withSystem(context.config(), async (services) =>
      readSeen(createLook(services, answerMsMax), { targets, detailed, services }),
    );
    print(context, seen.json, () => statusText(seen, { zone, width: outputWidth(context.io) }));
    return seen.json.status === 'error' ? exitCodes.failed : exitCodes.done;
  },
};

const answerMsMax = 60_000;

interface Asked {
  targets: PollingTargets;
  detailed: boolean;
  services: { db: Parameters<typeof listGatewayStandings>[0] };
}

async function readSeen(look: Look, { targets, detailed, services: { db } }: Asked) {
  const summary = valueOf(await look(pollingSummary));
  const halt = valueOf(await look(openHalt));
  const checks = valueOf(await look(newestChecks));
  const gateways = await readGateways(db, targets, detailed);
  const plants =
    targets.plantIds.length === 0 ? [] : await listPlants(db, { ids: targets.plantIds });
  const json = {
    ...summaryJson(summary),
    checks: checks.map(checkJson),
    ...(detailed
      ? { gateway_list: gateways.map(standingJson), plant_list: plants.map(plantJson) }
      : {}),
  };
  return { json, halt, gateways, plants };
}

async function readGateways(
  db: Asked['services']['db'],
  targets: PollingTargets,
  detailed: boolean,
): Promise<GatewayStanding[]> {
  if (!detailed) return [];
  return listGatewayStandings(db, isEmpty(targets) ? null : targets.gatewayIds);
}

function standingJson(one: GatewayStanding) {
  return {
    gateway_id: one.id,
    name: one.name,
    status: one.status,
    status_reason: one.reason,
    status_message: one.message,
    status_since: one.since.toISOString(),
    poll_interval_s: one.intervalS,
    period: one.period,
    last_slot: one.lastSlot?.toISOString() ?? null,
    last_seen_at: one.lastSeenAt?.toISOString() ?? null,
    consecutive_failures: one.failures,
  };
}

const plantJson = (one: PlantView) => ({
  plant_id: one.id,
  name: one.name,
  integration_status: one.integration_status,
  status: one.status,
  last_seen_at: one.last_seen_at?.toISOString() ?? null,
});

type Seen = Awaited<ReturnType<typeof readSeen>>;

function statusText(
  { json, halt, gateways, plants }: Seen,
  { zone, width }: { zone: string; width: number },
): string {
  const { plants: ofPlants, gateways: ofGateways, shards, checks } = json;
  const walked = shards.filter(({ state }) => state === 'WALKED');
  const lines: Line[] = [
    ['polling', halt === null ? json.message : haltSentence(halt, zone)],
    [
      'plants',
      `${ofPlants.active} ACTIVE of ${ofPlants.total}, ${ofPlants.not_polled} not polled in time`,
    ],
    [
      'gateways',
      `${ofGateways.due} due of ${ofGateways.total}, ${ofGateways.not_polled} not polled in time`,
    ],
    [
      'by status',
      Object.entries(ofGateways.by_status)
        .map(([status, count]) => `${count} ${status}`)
        .join(', ') || null,
    ],
    [
      'shards',
      ofGateways.total === 0
        ? null
        : `${walked.length} of ${counted(shards.length, 'shard')} walked`,
    ],
    ...checks.map((check): Line => {
      const at = timeCell(new Date(check.ended_at), zone);
      const found = check.findings === 0 ? 'found nothing' : counted(check.findings, 'finding');
      return [`last ${check.kind.toLowerCase()}`, `${found}, ${at}`];
    }),
  ];
  const parts = [
    factsText(lines.map(([name, text]) => [name, text === null ? null : visibleText(text)])),
  ];
  if (gateways.length > 0) parts.push(gatewaysText(gateways, zone, width));
  if (plants.length > 0)
    parts.push(
      tableText(
        ['plant', 'integration', 'status', 'last seen'],
        plants.map((one) => [
          one.id,
          one.integration_status,
          one.status,
          timeCell(one.last_seen_at, one.timezone),
        ]),
        width,
      ),
    );
  return parts.join('\n');
}

function gatewaysText(gateways: readonly GatewayStanding[], zone: string, width: number): string {
  const rows = gateways.map((one) => [
    one.id,
    one.status,
    one.period ?? nothing,
    `${one.intervalS} s`,
    timeCell(one.lastSlot, zone),
    String(one.failures),
    visibleText(one.message ?? one.reason ?? ''),
  ]);
  return tableText(
    ['gateway', 'status', 'period', ...right('interval'), 'last slot', ...right('failures'), 'why'],
    rows,
    width,
  );
}
