import { html } from 'hono/html';

import type { RouteView } from '../../../db/notifications/route-list.ts';
import { routeSentence } from '../../../domain/notifications/route-sentence.ts';
import type { Person } from '../../env.ts';
import type { Html } from '../../pages/components.ts';
import type { RouteTimes } from '../../../operations/notifications/subscriptions.ts';
import { busyText, sentInPlace } from '../../pages/forms.ts';
import { inputField, textOf } from './fields.ts';
import { whenFields } from './route-form.ts';

/** A person's own account: what mails this person gets, and the way to a new password. */

export interface AccountPage {
  person: Person;
  subscription: RouteView | null;
  /** The customers of whom this person may choose; empty: there is no choice. */
  customers: readonly string[];
  /** Whether mails are sent here at all. */
  hasMail: boolean;
  /** Whose clock the times of a new subscription follow. */
  zone: string;
}

export function accountContent(view: AccountPage): Html {
  const { person } = view;
  return html`<h1>Account</h1>
    <dl class="facts">
      <dt>e-mail</dt>
      <dd>${person.email}</dd>
      <dt>role</dt>
      <dd>${person.role}${person.customerId === null ? '' : ` of ${person.customerId}`}</dd>
    </dl>
    <p><a href="/password">Change password</a></p>
    <h2 class="space">E-mail notifications</h2>
    ${subscription(view)}`;
}

function subscription(view: AccountPage): Html {
  const { subscription: route, hasMail } = view;
  if (!hasMail && route === null)
    return html`<p class="muted">No mails are sent here: an ADMIN must add a channel first.</p>`;
  const standing =
    route === null
      ? html`<p class="muted">You get no mails.</p>`
      : html`<p>You are told: ${routeSentence(route)}.</p>`;
  return html`${standing}
    <form id="subscribe" class="wish" ${sentInPlace('/account/subscription')}>
      ${severityField(route)} ${customerField(view)} ${timeFields(view)}
      <p class="form-error" role="alert"></p>
      <button class="main" type="submit">
        ${busyText(route === null ? 'Subscribe' : 'Change', 'saving…')}
      </button>
    </form>
    ${
      route === null
        ? ''
        : html`<form id="unsubscribe" ${sentInPlace('/account/subscription/end')}>
            <button type="submit">${busyText('End these mails', 'ending…')}</button>
          </form>`
    }`;
}

function severityField(route: RouteView | null): Html {
  const chosen = route?.severities.length === 1 ? route.severities[0] : 'BOTH';
  const options = [
    ['BOTH', 'RED and YELLOW'],
    ['RED', 'RED only'],
    ['YELLOW', 'YELLOW only'],
  ] as const;
  return html`<label
    ><span>Severity</span
    ><select id="severity" name="severity">
      ${options.map(
        ([value, words]) =>
          html`<option value="${value}" ${value === chosen ? html`selected` : ''}>
            ${words}
          </option>`,
      )}
    </select></label
  >`;
}

function customerField({ customers, subscription: route, person }: AccountPage): Html {
  if (person.role === 'CUSTOMER')
    return html`<p class="muted">You are told of your own plants.</p>`;
  if (customers.length === 0) return html``;
  return html`<label
    ><span>Customers <small class="muted">none chosen: all</small></span
    ><select id="customers" name="customers" multiple size="${Math.min(8, customers.length)}">
      ${customers.map(
        (customer) =>
          html`<option
            value="${customer}"
            ${route?.customer_ids.includes(customer) === true ? html`selected` : ''}
          >
            ${customer}
          </option>`,
      )}
    </select></label
  >`;
}

const timeLabels: Readonly<Record<string, string>> = {
  timezone: 'Zone of the times below',
  quiet_from: 'Quiet from',
  quiet_to: 'Quiet until',
  digest: 'Morning brief',
  digest_at: 'Time of the brief',
};

/** Quiet hours and the morning brief, folded while nobody uses them. */
function timeFields({ subscription: route, zone }: AccountPage): Html {
  const field = (name: string) => ({
    name,
    label: timeLabels[name] ?? name,
    errors: {},
    ...(name === 'quiet_from' ? { hint: 'YELLOW waits from then on; RED never waits' } : {}),
  });
  const texts = {
    quiet_from: route?.quiet_from ?? '',
    quiet_to: route?.quiet_to ?? '',
    digest: route?.digest ?? 'NONE',
    digest_at: route?.digest_at ?? '07:00',
  };
  const isUsed = route !== null && (route.quiet_from !== null || route.digest !== 'NONE');
  return html`<details id="times" ${isUsed ? html`open` : ''}>
    <summary>Quiet hours and morning brief</summary>
    ${inputField(field('timezone'), isUsed ? route.timezone : zone, { required: true, maxlength: 64 })}
    ${whenFields(field, texts)}
  </details>`;
}

/** The times of day that the form sent. */
export function sentTimes(fields: Readonly<Record<string, unknown>>): Partial<RouteTimes> {
  const digest = (['YELLOW', 'ALL'] as const).find((one) => one === fields['digest']) ?? 'NONE';
  return {
    timezone: textOf(fields['timezone']) || 'UTC',
    quiet_from: textOf(fields['quiet_from']) || null,
    quiet_to: textOf(fields['quiet_to']) || null,
    digest,
    digest_at: digest === 'NONE' ? null : textOf(fields['digest_at']) || null,
  };
}

/** The page behind the link of a mail: it only asks. */
export function unsubscribeSheet(route: RouteView | null, token: string): Html {
  if (route === null)
    return html`<p>These mails have ended already, or the link is not complete.</p>
      <p><a href="/account">Your account</a></p>`;
  return html`<p>End the mails to <b>${route.recipients[0]}</b>?</p>
    <form method="post" action="/unsubscribe">
      <input type="hidden" name="token" value="${token}" />
      <button class="main" type="submit" autofocus>End these mails</button>
    </form>`;
}

export function unsubscribedSheet(): Html {
  return html`<p>These mails have ended.</p>
    <p><a href="/account">Your account</a> begins them again.</p>`;
}
