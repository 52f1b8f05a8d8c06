import { html } from 'hono/html';

import type { ChannelView } from '../../../db/notifications/channel-list.ts';
import type { RouteView } from '../../../db/notifications/route-list.ts';
import { subjectWords } from '../../../domain/notifications/route-sentence.ts';
import { plainRoute, type RouteSettings } from '../../../domain/notifications/route-settings.ts';
import type { Html } from '../../pages/components.ts';
import { busyText, sheetForm } from '../../pages/forms.ts';
import {
  areaField,
  type Errors,
  formError,
  inputField,
  chosenOf,
  listOf,
  selectField,
  textOf,
} from './fields.ts';

/** The form of a route: new, or changed. */

/** What the fields of the form hold, as texts. */
export interface RouteTexts {
  name: string;
  channel_id: string;
  recipients: string;
  severity: string;
  subject_kinds: readonly string[];
  brands: readonly string[];
  customer_ids: readonly string[];
  plant_ids: string;
  timezone: string;
  quiet_from: string;
  quiet_to: string;
  digest: string;
  digest_at: string;
  second_route_id: string;
  second_minutes: string;
}

export interface RouteForm {
  /** null: a new one. */
  route: RouteView | null;
  texts: RouteTexts;
  channels: readonly ChannelView[];
  /** All routes: one of them may be called second. */
  routes: readonly RouteView[];
  /** All brands, and the customers that have plants. */
  brands: readonly string[];
  customers: readonly string[];
  errors: Errors;
}

/** How the form calls what a route says, by the names of its settings. */
export const routeLabels: Readonly<Record<string, string>> = {
  name: 'Name',
  channel_id: 'Channel',
  recipients: 'Recipients',
  severities: 'Severity',
  subject_kinds: 'About',
  brands: 'Brands',
  customer_ids: 'Customers',
  plant_ids: 'Plants',
  timezone: 'Zone',
  quiet_from: 'Quiet from',
  quiet_to: 'Quiet until',
  digest: 'Morning brief',
  digest_at: 'Time of the brief',
  second_call_after_s: 'Minutes until the second call',
  second_route_id: 'Second route',
};

const hints: Readonly<Record<string, string>> = {
  recipients: 'e-mail addresses, one a line; empty for Slack and webhooks',
  subject_kinds: 'none chosen: all',
  brands: 'none chosen: all',
  customer_ids: 'none chosen: all',
  plant_ids: 'ids; empty: all',
  timezone: 'of the times below, such as Europe/Amsterdam',
  quiet_from: 'YELLOW waits from then on; RED never waits',
  second_route_id: 'is told of what is RED and nobody has acknowledged',
};

export const severityOptions = [
  ['BOTH', 'RED and YELLOW'],
  ['RED', 'RED only'],
  ['YELLOW', 'YELLOW only'],
] as const;

export const digestOptions = [
  ['NONE', 'no: everything at once'],
  ['YELLOW', 'for YELLOW; RED at once'],
  ['ALL', 'for everything'],
] as const;

/** The fields of a new route. */
export const newTexts: RouteTexts = textsOf({ ...plainRoute, name: '', channel_id: 0 });

/** A route as the fields of the form hold it. */
export function textsOf(route: RouteSettings): RouteTexts {
  const { severities, second_call_after_s: afterS } = route;
  return {
    name: route.name,
    channel_id: String(route.channel_id),
    recipients: route.recipients.join('\n'),
    severity: severities.length === 1 ? (severities[0] ?? 'BOTH') : 'BOTH',
    subject_kinds: route.subject_kinds,
    brands: route.brands,
    customer_ids: route.customer_ids,
    plant_ids: route.plant_ids.join(', '),
    timezone: route.timezone,
    quiet_from: route.quiet_from ?? '',
    quiet_to: route.quiet_to ?? '',
    digest: route.digest,
    digest_at: route.digest_at ?? '07:00',
    second_route_id: route.second_route_id === null ? '' : String(route.second_route_id),
    second_minutes: afterS === null ? '30' : String(Math.ceil(afterS / 60)),
  };
}

/** The fields as they were sent. */
export function sentTexts(fields: Readonly<Record<string, unknown>>): RouteTexts {
  const text = (name: keyof RouteTexts) => textOf(fields[name]);
  return {
    name: text('name'),
    channel_id: text('channel_id'),
    recipients: text('recipients'),
    severity: text('severity'),
    subject_kinds: listOf(fields['subject_kinds']),
    brands: listOf(fields['brands']),
    customer_ids: chosenOf(fields['customer_ids']),
    plant_ids: text('plant_ids'),
    timezone: text('timezone'),
    quiet_from: text('quiet_from'),
    quiet_to: text('quiet_to'),
    digest: text('digest'),
    digest_at: text('digest_at'),
    second_route_id: text('second_route_id'),
    second_minutes: text('second_minutes'),
  };
}

export function routeFormContent(view: RouteForm, adminPath: string): Html {
  const { route, texts, errors } = view;
  const action = route === null ? `${adminPath}/routes` : `${adminPath}/routes/${route.id}`;
  const field = (name: string) => ({
    name,
    label: routeLabels[name] ?? name,
    ...(hints[name] === undefined ? {} : { hint: hints[name] }),
    errors,
  });
  return html`<p><a href="${adminPath}">‹ Notifications</a></p>
    <h1>${route === null ? 'New route' : `Route ${route.name}`}</h1>
    <p class="muted">A route says who is told what. A new one begins with what is open now.</p>
    ${formError(errors)}
    <form class="wish" method="post" action="${action}">
      ${inputField(field('name'), texts.name, { required: true, maxlength: 200 })}
      ${selectField(field('channel_id'), channelOptions(view), texts.channel_id)}
      ${areaField(field('recipients'), texts.recipients, 3)}
      <fieldset>
        <legend>What</legend>
        ${selectField({ ...field('severities'), name: 'severity' }, severityOptions, texts.severity)}
        ${selectField(field('subject_kinds'), kindOptions(texts), texts.subject_kinds)}
        ${selectField(field('brands'), optionsOf(view.brands, texts.brands), texts.brands)}
        ${customerField(view, field('customer_ids'))}
        ${inputField(field('plant_ids'), texts.plant_ids)}
      </fieldset>
      <fieldset>
        <legend>When</legend>
        ${inputField(field('timezone'), texts.timezone, { required: true, maxlength: 64 })}
        ${whenFields(field, texts)}
      </fieldset>
      <fieldset>
        <legend>Second call</legend>
        ${selectField(field('second_route_id'), secondOptions(view), texts.second_route_id)}
        ${inputField({ ...field('second_call_after_s'), name: 'second_minutes' }, texts.second_minutes, { type: 'number', min: 1, max: 1_440 })}
      </fieldset>
      <button class="main" type="submit">
        ${route === null ? 'Add the route' : 'Change the route'}
      </button>
    </form>`;
}

type FieldOf = (name: string) => Parameters<typeof inputField>[0];

/** Quiet hours and the morning brief: the same for routes and for a person's own mails. */
export function whenFields(
  field: FieldOf,
  texts: Pick<RouteTexts, 'quiet_from' | 'quiet_to' | 'digest' | 'digest_at'>,
): Html {
  return html`${inputField(field('quiet_from'), texts.quiet_from, { type: 'time' })}
  ${inputField(field('quiet_to'), texts.quiet_to, { type: 'time' })}
  ${selectField(field('digest'), digestOptions, texts.digest)}
  ${inputField(field('digest_at'), texts.digest_at, { type: 'time' })}`;
}

function channelOptions({ channels }: RouteForm): [string, string][] {
  return channels
    .filter(({ kind }) => kind !== 'HEARTBEAT')
    .map(({ id, name, kind }) => [String(id), `${name} (${kind})`]);
}

/** What is known, and what the route has besides. */
function optionsOf(known: readonly string[], chosen: readonly string[]): [string, string][] {
  return [...new Set([...known, ...chosen])].map((one) => [one, one]);
}

function customerField({ customers, texts }: RouteForm, field: Parameters<typeof inputField>[0]) {
  const options = optionsOf(customers, texts.customer_ids);
  return options.length === 0 ? html`` : selectField(field, options, texts.customer_ids);
}

function kindOptions({ subject_kinds: chosen }: RouteTexts): [string, string][] {
  const known = Object.entries(subjectWords);
  const others = chosen.filter((kind) => !(kind in subjectWords));
  return [...known, ...others.map((kind): [string, string] => [kind, kind])];
}

function secondOptions({ routes, route }: RouteForm): [string, string][] {
  const others = routes.filter(({ id, subscriber }) => id !== route?.id && subscriber === null);
  return [['', 'none'], ...others.map(({ id, name }): [string, string] => [String(id), name])];
}

/** A button that asks once more. */
export function removeMenu(action: string, what: string): Html {
  const fields = html`<p>Remove ${what}?</p>`;
  return html`<details class="menu act small">
    <summary>Remove<span class="sr"> ${what}</span></summary>
    ${sheetForm({ action, fields, button: busyText('Remove', 'removing…') })}
  </details>`;
}
