import { html } from 'hono/html';

import type { ChannelView } from '../../../db/notifications/channel-list.ts';
import type { DeliveryView } from '../../../db/notifications/delivery-list.ts';
import type { RouteView } from '../../../db/notifications/route-list.ts';
import { addedKinds } from '../../../domain/notifications/channel-settings.ts';
import { routeSentence } from '../../../domain/notifications/route-sentence.ts';
import { durationText } from '../../../domain/wording.ts';
import { firstLineOf, type TitledDelivery } from '../../../operations/notifications/titles.ts';
import {
  column,
  type Html,
  type MarkKind,
  statusMark,
  table,
  time,
} from '../../pages/components.ts';
import { busyText, sentInPlace } from '../../pages/forms.ts';
import { kindNames } from './channel-form.ts';
import { removeMenu } from './route-form.ts';

/** The Notifications page of ADMINs: the channels, the routes as sentences, the deliveries with their attempts. */

export interface AdminPage {
  channels: readonly ChannelView[];
  routes: readonly RouteView[];
  deliveries: readonly TitledDelivery[];
  /** The state that the list of deliveries is limited to; null: all. */
  state: DeliveryView['state'] | null;
  /** The delivery of the test that was just sent; null: none was. */
  tested: DeliveryView | null;
  /** The address of the ADMIN, to whom a test of mails goes unless another is given. */
  email: string;
  nextHref: string | null;
  nowMs: number;
  /** Whose clock its times follow. */
  timezone: string;
}

export const adminPath = '/admin/notifications';

const none = html`<span class="muted">–</span>`;

export function adminContent(view: AdminPage): Html {
  return html`<h1>Notifications</h1>
    ${tested(view)}
    <h2 class="space">Channels</h2>
    ${wide('Channels', channels(view))}
    <p class="more">
      Add
      ${addedKinds.map((kind) => html`<a class="button" href="${adminPath}/channels/new?kind=${kind.toLowerCase()}">${kindNames[kind]}</a> `)}
    </p>
    <h2 class="space">Routes</h2>
    ${wide('Routes', routes(view))}
    ${view.channels.some(({ kind }) => kind !== 'HEARTBEAT') ? html`<p class="more"><a class="button" href="${adminPath}/routes/new">Add a route</a></p>` : ''}
    <h2 class="space">Deliveries</h2>
    ${deliveries(view)}`;
}

/** What may be wider than a small screen. */
function wide(label: string, content: Html): Html {
  return html`<div class="wide" tabindex="0" role="region" aria-label="${label}">${content}</div>`;
}

function tested({ tested: delivery }: AdminPage): Html {
  const words =
    delivery === null
      ? ''
      : html`<p>
          <b>Test:</b> ${deliveryMark(delivery)}
          <a href="#delivery-${delivery.id}">delivery ${delivery.id}</a>
          ${delivery.answer ?? 'waits for a worker; this page renews itself'}
        </p>`;
  return html`<div id="tested" role="status">${words}</div>`;
}

function channels({ channels: rows, email, nowMs, timezone }: AdminPage): Html {
  if (rows.length === 0)
    return html`<p class="empty">
      Nobody is told: there is no channel. Add one here, or set MAIL_HOST or SLACK_WEBHOOK_URL for
      the workers.
    </p>`;
  const when = (at: Date | null) => (at === null ? none : time(at.getTime(), timezone, nowMs));
  return table({ className: 'notes', caption: 'Channels' }, rows, [
    column(
      'channel',
      '',
      ({ name, kind, source }) =>
        html`${name}
          <small class="muted"
            >${kind}${source === 'DATABASE' ? '' : ', from the environment'}</small
          >`,
    ),
    column('state', '', (channel) => channelState(channel, nowMs)),
    column('last success', '', ({ last_success_at: at }) => when(at)),
    column('last error', '', ({ last_error_at: at, last_error: error }) =>
      at === null ? none : html`${when(at)} ${error}`,
    ),
    column(
      html`<span class="sr">action</span>`,
      'acts',
      (channel) => html`${testForm(channel, email)} ${channelActs(channel)}`,
    ),
  ]);
}

function channelState(
  { failing_since: since, last_success_at: at }: ChannelView,
  nowMs: number,
): Html {
  if (since !== null)
    return statusMark('RED', `fails for ${durationText(Math.max(0, nowMs - since.getTime()))}`);
  return at === null ? statusMark('GREY', 'not used yet') : statusMark('GREEN', 'works');
}

function testForm({ id, kind, name }: ChannelView, email: string): Html {
  if (kind === 'HEARTBEAT') return none;
  const to =
    kind === 'EMAIL'
      ? html`<label
          ><span class="sr">Address of the test by ${name}</span
          ><input id="to-${id}" name="to" type="email" value="${email}" required
        /></label>`
      : '';
  return html`<form
    id="test-${id}"
    class="inline"
    ${sentInPlace(`${adminPath}/channels/${id}/test`)}
  >
    ${to}<button class="small" type="submit">
      ${busyText('Test', 'sending…')}<span class="sr"> ${name}</span></button
    ><span class="form-error" role="alert"></span>
  </form>`;
}

/** A channel of the environment is changed at the worker. */
function channelActs({ id, name, source }: ChannelView): Html {
  if (source === 'ENVIRONMENT') return html``;
  return html`<a class="button small" href="${adminPath}/channels/${id}"
      >Change<span class="sr"> channel ${name}</span></a
    >
    ${removeMenu(`${adminPath}/channels/${id}/remove`, `channel ${name}`)}`;
}

/** A subscription is changed by its person, and an ADMIN may end it. */
function routeActs({ id, name, subscriber }: RouteView): Html {
  const change =
    subscriber === null
      ? html`<a class="button small" href="${adminPath}/routes/${id}"
          >Change<span class="sr"> route ${name}</span></a
        >`
      : '';
  return html`${change} ${removeMenu(`${adminPath}/routes/${id}/remove`, `route ${name}`)}`;
}

function routes({ routes: rows }: AdminPage): Html {
  if (rows.length === 0)
    return html`<p class="empty">
      Nobody is told: there is no route, which says who is told what.
    </p>`;
  return table({ className: 'notes', caption: 'Routes' }, rows, [
    column('route', '', ({ name }) => name),
    column('who is told what', '', (route) => routeSentence(route)),
    column('state', '', ({ storm_since: storm }) => (storm === null ? 'usual' : 'summaries only')),
    column(html`<span class="sr">action</span>`, 'acts', routeActs),
  ]);
}

const stateMarks: Readonly<Record<DeliveryView['state'], MarkKind>> = {
  SENT: 'GREEN',
  PENDING: 'GREY',
  SENDING: 'GREY',
  SUPPRESSED: 'GREY',
  FAILED: 'YELLOW',
  DEAD: 'RED',
};

const deliveryMark = ({ state }: DeliveryView): Html => statusMark(stateMarks[state], state);

const tabs = [null, 'PENDING', 'FAILED', 'DEAD', 'SENT', 'SUPPRESSED'] as const;

function deliveries(view: AdminPage): Html {
  const { deliveries: rows, state, nextHref } = view;
  return html`<nav class="tabs" aria-label="Deliveries by state">
      ${tabs.map(
        (tab) =>
          html`<a
            id="tab-${tab ?? 'all'}"
            href="${tab === null ? adminPath : `${adminPath}?state=${tab}`}"
            ${tab === state ? html`aria-current="page"` : ''}
            >${tab === null ? 'all' : tab.toLowerCase()}</a
          >`,
      )}
    </nav>
    ${rows.length === 0 ? html`<p class="empty">There is none.</p>` : wide('Deliveries', deliveryTable(view))}
    ${nextHref === null ? '' : html`<p class="more"><a class="button" href="${nextHref}">Older</a></p>`}`;
}

function deliveryTable({ deliveries: rows, nowMs, timezone }: AdminPage): Html {
  const when = (at: Date): Html => time(at.getTime(), timezone, nowMs);
  const idOf = ({ id }: DeliveryView): string => `delivery-${id}`;
  return table({ className: 'notes', caption: 'Deliveries, newest first', idOf }, rows, [
    column('delivery', 'num', ({ id }) => String(id)),
    column('state', '', deliveryMark),
    column('to', '', ({ channel_name: channel, recipient }) =>
      recipient === '' ? channel : html`${recipient} <small class="muted">${channel}</small>`,
    ),
    column('message', '', messageText),
    column('made', '', ({ created_at: at }) => when(at)),
    column('attempts', 'attempts', (delivery) => attempts(delivery, when)),
    column(html`<span class="sr">action</span>`, '', retryForm),
  ]);
}

function messageText(delivery: TitledDelivery): Html {
  const { message_kind: kind, route_name: route } = delivery;
  const by = route === null ? '' : html`<small class="muted">${route}</small>`;
  const first = firstLineOf(delivery);
  if (first === null) return html`${kind.toLowerCase()} ${by}`;
  const { title, why, more } = first;
  return html`${title}${more > 0 ? ` and ${more} more` : ''}
  ${why === '' ? '' : html`<p class="muted">${why}</p>`} ${by}`;
}

function attempts(delivery: DeliveryView, when: (at: Date) => Html): Html {
  const { id, attempts: made, answer, state, next_attempt_at: next } = delivery;
  const waits =
    state === 'PENDING' || state === 'FAILED'
      ? html`<p class="muted">next attempt ${when(next)}</p>`
      : '';
  if (made.length === 0) return html`${answer ?? ''}${waits}`;
  return html`<details id="attempts-${id}">
      <summary>${made.length} · ${answer ?? 'running'}</summary>
      <ol>
        ${made.map(
          ({ at, outcome, answer: said }) =>
            html`<li>
              ${when(at)} ${outcome ?? 'without an end'}${said === null ? '' : `: ${said}`}
            </li>`,
        )}
      </ol>
    </details>
    ${waits}`;
}

function retryForm({ id, state }: DeliveryView): Html {
  if (state !== 'DEAD' && state !== 'FAILED') return html``;
  return html`<form id="retry-${id}" ${sentInPlace(`${adminPath}/deliveries/${id}/retry`)}>
    <button class="small" type="submit">
      ${busyText('Retry', 'retrying…')}<span class="sr"> delivery ${id}</span></button
    ><span class="form-error" role="alert"></span>
  </form>`;
}
