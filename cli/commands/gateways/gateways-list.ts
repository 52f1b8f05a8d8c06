import { type GatewayView, listGateways } from '../../../db/gateways/gateways.ts';
import { allPlants } from '../../../db/scope.ts';
import {
  type GatewayStatus,
  gatewayStatuses,
  priorities,
  type Priority,
} from '../../../domain/gateways/gateway.ts';
import { counted } from '../../../domain/wording.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals, readFlag } from '../../arguments.ts';
import type { Command, CommandIo } from '../../command.ts';
import { oneOf } from '../../plant-fields.ts';
import { nothing, outputWidth, print } from '../../render.ts';
import { type Cell, right, tableText } from '../../table.ts';
import { agoText, gatewayStatusPaint, successText } from './words.ts';

/** `heliograph gateways list`: lists gateways, the worst first. */
export const gatewaysList: Command = {
  name: 'gateways list',
  usage: '[--status S] [--priority P] [--plant ID] [--customer C] [--removed] [--json]',
  flags: ['status', 'priority', 'plant', 'customer'],
  switches: ['removed'],
  async run(context) {
    noPositionals(context, 'a list takes filters: `heliograph gateways show ID` shows one gateway');
    const filter = {
      status: readFlag(context, 'status', oneOf<GatewayStatus>(gatewayStatuses)),
      priority: readFlag(context, 'priority', oneOf<Priority>(priorities)),
      plantId: context.flags['plant'],
      customerId: context.flags['customer'],
      removed: context.switches.has('removed') ? ('ONLY' as const) : undefined,
    };
    const views = await withDatabase(context.config(), (db) => listGateways(db, allPlants, filter));
    print(context, views, () =>
      views.length === 0
        ? 'there is no such gateway: `heliograph gateways add` adds one\n'
        : listText(views, Date.now(), context.io),
    );
  },
};

function listText(views: readonly GatewayView[], nowMs: number, io: CommandIo): string {
  const paint = gatewayStatusPaint(io);
  const rows = views.map((view): Cell[] => [
    {
      text: view.stale ? `${view.status} ?` : view.status,
      paint: (text) => paint(view.status, text),
    },
    view.id,
    `${view.host}:${view.port}`,
    `${view.poll_interval_s} s`,
    agoText(view.last_seen_at, nowMs),
    successText(view.recent),
    String(view.open_alerts),
    view.halted ? 'all polling is stopped' : (view.pause_reason ?? view.status_message ?? nothing),
  ]);
  const table = tableText(
    ['STATUS', 'GATEWAY', 'ADDRESS', ...right('EVERY', 'SEEN', 'GOOD', 'OPEN'), 'WHY'],
    rows,
    outputWidth(io),
  );
  const counts = [...Map.groupBy(views, ({ status }) => status)].map(
    ([status, ofStatus]) => `${ofStatus.length} ${status}`,
  );
  const stale = views.filter((view) => view.stale).length;
  const note = stale === 0 ? '' : `; ${stale} not polled in time (?): is a worker up?`;
  return `${table}\n${counted(views.length, 'gateway')}: ${counts.join(', ')}${note}\n`;
}
