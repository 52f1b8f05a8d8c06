import { findToldGatewayAlerts, type ToldGatewayAlert } from '../../db/gateways/standing.ts';
import type { OutboxRow } from '../../db/outbox.ts';
import type { Notice } from '../../domain/notice.ts';
import { localTimeText } from '../../domain/wording.ts';
import { noticeHead, type ReadNotices } from '../notices.ts';

/** Notifications of gateways in words. */

/** What to do about each alert. */
const actions: Readonly<Record<ToldGatewayAlert['type'], string>> = {
  GATEWAY_OFFLINE:
    'Check the power and the network of the site, and whether another master uses the gateway.',
  GATEWAY_DISABLED:
    'Repair the way to the gateway; heliograph polling start --gateway brings it back at once.',
  POINT_BAD: 'Compare the point with the data sheet of the device: address, type, range.',
  UNIT_SILENT: 'Check the bus behind the gateway and the address of this unit.',
};

/** Notifications of gateways' alerts. */
export const readGatewayNotices: ReadNotices = async (db, rows) => {
  const alertIds = rows.flatMap(({ alertId }) => alertId ?? []);
  const alerts = await findToldGatewayAlerts(db, alertIds);
  const byId = new Map(alerts.map((alert) => [alert.alertId, alert]));
  return rows.flatMap((row) => {
    const alert = row.alertId === null ? undefined : byId.get(row.alertId);
    return alert === undefined ? [] : [alertNotice(row, alert)];
  });
};

function alertNotice(row: OutboxRow, alert: ToldGatewayAlert): Notice {
  const { gatewayName, plantName, resolvedAtMs, timezone, message } = alert;
  const unit = alert.unit === null ? null : `unit ${alert.unit}`;
  return {
    ...noticeHead(row, alert.state === 'RESOLVED'),
    isAcknowledged: alert.state === 'ACKED',
    // A route for a brand also gets what stands at the brand's plants; without a plant there is no brand.
    brand: alert.brand,
    customerId: alert.customerId,
    plantId: alert.plantId,
    name: plantName === null ? gatewayName : `${gatewayName} (${plantName})`,
    what: [alert.type, alert.point, unit].filter((word) => word !== null).join(' '),
    sinceMs: alert.startedAtMs,
    timezone,
    why:
      resolvedAtMs === null
        ? message
        : `Over since ${localTimeText(resolvedAtMs, timezone)}. It was: ${message}`,
    cost: null,
    action: row.isEnd ? null : actions[alert.type],
    path: `/gateways/${encodeURIComponent(alert.gatewayId)}`,
  };
}
