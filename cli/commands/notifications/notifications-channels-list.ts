import { type ChannelView, listChannels } from '../../../db/notifications/channel-list.ts';
import { withDatabase } from '../../../environment/services.ts';
import { noPositionals } from '../../arguments.ts';
import type { Command } from '../../command.ts';
import { nothing, outputWidth, print, timeCell, visibleText } from '../../render.ts';
import { right, tableText } from '../../table.ts';

/** `heliograph notifications channels list`: how each channel last succeeded and failed, without its settings. */
export const notificationsChannelsList: Command = {
  name: 'notifications channels list',
  usage: '[--json]',
  async run(context) {
    noPositionals(context, 'the command lists all channels: name none');
    const channels = await withDatabase(context.config(), listChannels);
    print(context, channels, () => channelsText(channels, outputWidth(context.io)));
  },
};

function channelsText(channels: readonly ChannelView[], width: number): string {
  if (channels.length === 0)
    return 'nobody is told: there is no channel. Set MAIL_HOST or SLACK_WEBHOOK_URL for the workers, or use `heliograph notifications channels add`\n';
  return tableText(
    [
      ...right('ID'),
      'NAME',
      'KIND',
      'FROM',
      ...right('ROUTES'),
      'LAST SUCCESS',
      'FAILING SINCE',
      'LAST ERROR (UTC)',
    ],
    channels.map((channel) => [
      String(channel.id),
      visibleText(channel.name),
      channel.kind,
      channel.source.toLowerCase(),
      String(channel.routes),
      timeCell(channel.last_success_at, 'UTC'),
      timeCell(channel.failing_since, 'UTC'),
      channel.last_error === null
        ? nothing
        : visibleText(`${timeCell(channel.last_error_at, 'UTC')} ${channel.last_error}`),
    ]),
    width,
  );
}
