import { readAllNotices } from '../../../activities/notice-readers.ts';
import {
  type DeliveryView,
  deliveryStates,
  listDeliveries,
} from '../../../db/notifications/delivery-list.ts';
import { counted } from '../../../domain/wording.ts';
import { withDatabase } from '../../../environment/services.ts';
import {
  firstLineOf,
  titleDeliveries,
  type TitledDelivery,
} from '../../../operations/notifications/titles.ts';
import { instant, noPositionals, readFlag } from '../../arguments.ts';
import { type Command, type CommandIo } from '../../command.ts';
import { oneOf, wholeNumber } from '../../plant-fields.ts';
import { nothing, outputWidth, print, secondsCell, visibleText } from '../../render.ts';
import { right, tableText } from '../../table.ts';

const limitDefault = 50;
const limitMax = 1_000;

/** `heliograph notifications list`: deliveries with their attempts, the newest first. */
export const notificationsList: Command = {
  name: 'notifications list',
  usage: '[--state SENT|FAILED|DEAD|…] [--since TIME] [--alert ID] [--limit N] [--json]',
  flags: ['state', 'since', 'alert', 'limit'],
  async run(context) {
    noPositionals(context, 'the command lists deliveries: name none');
    const filter = {
      state: readFlag(context, 'state', oneOf(deliveryStates)),
      since: readFlag(context, 'since', instant),
      alertId: readFlag(context, 'alert', wholeNumber('the number of an alert', 1, 999_999_999)),
    };
    const readLimit = wholeNumber('a whole number', 1, limitMax);
    const limit = readFlag(context, 'limit', readLimit) ?? limitDefault;
    const { deliveries, nextBeforeId } = await withDatabase(context.config(), async (db) => {
      const page = await listDeliveries(db, filter, { beforeId: null, limit });
      const titles = { db, readTitles: readAllNotices, nowMs: Date.now() };
      return { ...page, deliveries: await titleDeliveries(titles, page.deliveries) };
    });
    print(context, deliveries, () => {
      if (deliveries.length === 0) return 'there is no such delivery\n';
      const more =
        nextBeforeId === null ? '' : `, and there are more: --limit shows up to ${limitMax}`;
      return `${deliveriesTable(deliveries, context.io)}\n${counted(deliveries.length, 'delivery', 'deliveries')}${more}. Times are UTC.\n`;
    });
  },
};

function deliveriesTable(deliveries: readonly TitledDelivery[], io: CommandIo): string {
  return tableText(
    [...right('ID'), 'STATE', 'CHANNEL', 'TO', 'MADE', 'MESSAGE', ...right('TRIES'), 'ANSWER'],
    deliveries.map((delivery) => [
      String(delivery.id),
      delivery.state,
      visibleText(delivery.channel_name),
      delivery.recipient || nothing,
      secondsCell(delivery.created_at, 'UTC'),
      messageCell(delivery),
      String(delivery.attempts.length),
      visibleText(delivery.answer ?? nothing),
    ]),
    outputWidth(io),
  );
}

/** "RED Vale 2: OFFLINE +3", "RED Heliograph: polling: 12 of 12 plants were not polled in time", "TEST". */
function messageCell(delivery: TitledDelivery): string {
  const first = firstLineOf(delivery);
  if (first === null) return delivery.message_kind;
  const { title, why, more } = first;
  // The name of a part of the system says little; a plant's or an incident's says it.
  const words = delivery.lines[0]?.subject_kind === 'SYSTEM' && why !== '' ? `: ${why}` : '';
  return visibleText(`${title}${words}${more > 0 ? ` +${more}` : ''}`);
}

/** One delivery with its attempts, for whoever has just tried it. */
export function deliveryText(delivery: DeliveryView): string {
  const attempts = delivery.attempts.map(
    ({ attempt, at, outcome, answer }) =>
      `  attempt ${attempt} at ${secondsCell(at, 'UTC')} UTC: ${outcome ?? 'runs'}${answer === null ? '' : `, ${visibleText(answer)}`}\n`,
  );
  const to = delivery.recipient === '' ? '' : ` to ${delivery.recipient}`;
  const channel = visibleText(delivery.channel_name);
  return `delivery ${delivery.id}${to} by ${channel}: ${delivery.state}\n${attempts.join('')}`;
}
