import { html } from 'hono/html';

import type { ChannelView } from '../../../db/notifications/channel-list.ts';
import { type AddedKind, settingFields } from '../../../domain/notifications/channel-settings.ts';
import type { Html } from '../../pages/components.ts';
import { type Errors, formError, inputField, selectField } from './fields.ts';

/** The form of a channel: new, or changed. Its secrets are only ever sent to us, and never shown. */

export interface ChannelForm {
  kind: AddedKind;
  /** null: a new one. */
  channel: ChannelView | null;
  name: string;
  /** What was sent and is no secret. */
  settings: Readonly<Record<string, string>>;
  errors: Errors;
}

export const kindNames: Readonly<Record<AddedKind, string>> = {
  EMAIL: 'e-mail',
  SLACK: 'Slack',
  WEBHOOK: 'webhook',
};

/** How the form calls the settings. */
export const channelLabels: Readonly<Record<string, string>> = {
  name: 'Name',
  host: 'Mail server',
  from: 'Sender',
  port: 'Port',
  tls: 'Encryption',
  username: 'User name',
  password: 'Password',
  url: 'URL',
  secret: 'Signing secret',
};

const hints: Readonly<Record<string, string>> = {
  name: 'as people see it beside each message',
  host: 'such as mail.example.org',
  from: 'an e-mail address, without a name',
  port: '587 if empty',
  username: 'if the server asks for one',
  password: 'goes with the user name',
  url: 'begins with https://',
  secret: 'at least 16 characters; signs what is sent (HMAC-SHA-256)',
};

/** Settings that a page never repeats, not even to whoever sent them. */
export const secretSettings: ReadonlySet<string> = new Set(['password', 'secret', 'url']);

const encryptions = [
  ['starttls', 'STARTTLS, which the server must offer'],
  ['tls', 'TLS from the first byte (port 465)'],
  ['none', 'none: only for a server on this machine'],
] as const;

export function channelFormContent(view: ChannelForm, adminPath: string): Html {
  const { kind, channel, errors } = view;
  const action = channel === null ? `${adminPath}/channels` : `${adminPath}/channels/${channel.id}`;
  const label = (name: string) => ({
    name,
    label: channelLabels[name] ?? name,
    ...(hints[name] === undefined ? {} : { hint: hints[name] }),
    errors,
  });
  const { required, optional } = settingFields[kind];
  const keeps =
    channel === null
      ? ''
      : html`<p class="muted">
          The settings that it has are sealed, and nothing shows them. Leave all of them empty to
          keep them; fill in all that it needs to replace them.
        </p>`;
  return html`<p><a href="${adminPath}">‹ Notifications</a></p>
    <h1>${channel === null ? `New ${kindNames[kind]} channel` : `Channel ${channel.name}`}</h1>
    ${formError(errors)}
    <form class="wish" method="post" action="${action}" autocomplete="off">
      <input type="hidden" name="kind" value="${kind}" />
      ${inputField(label('name'), view.name, { required: true, maxlength: 200 })} ${keeps}
      ${[...required, ...optional].map((name) => setting(view, name, label(name), required.includes(name)))}
      <button class="main" type="submit">
        ${channel === null ? 'Add the channel' : 'Change the channel'}
      </button>
    </form>
    ${channel === null ? html`<p class="muted">Test it on the page that follows. Nothing goes through it before a route leads to it.</p>` : ''}`;
}

function setting(
  { channel, settings }: ChannelForm,
  name: string,
  field: Parameters<typeof inputField>[0],
  isRequired: boolean,
): Html {
  const value = settings[name] ?? '';
  if (name === 'tls') {
    const chosen = value === '' && channel === null ? 'starttls' : value;
    const keep = channel === null ? [] : [['', 'as it is'] as const];
    return selectField(field, [...keep, ...encryptions], chosen);
  }
  return inputField(field, secretSettings.has(name) ? '' : value, {
    required: isRequired && channel === null,
    maxlength: name === 'url' ? 2_000 : 254,
    autocomplete: name === 'password' || name === 'secret' ? 'new-password' : 'off',
    ...(name === 'password' || name === 'secret' ? { type: 'password' } : {}),
    ...(name === 'port' ? { type: 'number', min: 1, max: 65_535 } : {}),
  });
}
