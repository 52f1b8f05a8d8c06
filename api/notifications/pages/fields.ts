import { html } from 'hono/html';

import type { Refusal } from '../../../operations/notifications/actions.ts';
import type { Html } from '../../pages/components.ts';

/** The fields of the forms of channels and routes, each with what is wrong with it beside it. */

/** What is wrong with fields, as sentences, by their names; the empty name: with the whole form. */
export type Errors = Readonly<Record<string, string>>;

interface Field {
  name: string;
  label: string;
  hint?: string;
  errors: Errors;
}

type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A text, number, time or password. @param attributes of the input; false leaves one out. */
export function inputField(field: Field, value: string, attributes: Attributes = {}): Html {
  return labelled(
    field,
    html`<input value="${value}" ${spread({ type: 'text', ...attributes })} ${marks(field)} />`,
  );
}

export function areaField(field: Field, value: string, rows: number): Html {
  return labelled(field, html`<textarea rows="${rows}" ${marks(field)}>${value}</textarea>`);
}

/** @param options value and words of each. @param chosen one value, or several where many may be chosen. */
export function selectField(
  field: Field,
  options: readonly (readonly [value: string, words: string])[],
  chosen: string | readonly string[],
): Html {
  const all = typeof chosen === 'string' ? [chosen] : chosen;
  const many =
    typeof chosen === 'string' ? {} : { multiple: true, size: Math.min(6, options.length) };
  return labelled(
    field,
    html`<select ${spread(many)} ${marks(field)}>
      ${options.map(
        ([value, words]) =>
          html`<option value="${value}" ${all.includes(value) ? html`selected` : ''}>
            ${words}
          </option>`,
      )}
    </select>`,
  );
}

function labelled({ name, label, hint, errors }: Field, control: Html): Html {
  const error = errors[name];
  return html`<label
    ><span>${label} ${hint === undefined ? '' : html`<small class="muted">${hint}</small>`}</span
    >${control}${error === undefined ? '' : html`<span class="form-error" id="${name}-error">${error}</span>`}</label
  >`;
}

function marks({ name, errors }: Field): Html {
  return html`id="${name}" name="${name}"
  ${errors[name] === undefined ? '' : html`aria-invalid="true" aria-describedby="${name}-error"`}`;
}

function spread(attributes: Attributes): Html {
  const given = Object.entries(attributes).filter(([, value]) => value !== false);
  return html`${given.map(([name, value]) => (value === true ? html` ${name}` : html` ${name}="${value}"`))}`;
}

/** What is wrong with the whole form, or that fields below have errors; empty if nothing is wrong. */
export function formError(errors: Errors): Html {
  const names = Object.keys(errors);
  if (names.length === 0) return html``;
  const words = errors[''] ?? 'Nothing was changed: see below what is wrong.';
  return html`<p class="form-error" role="alert">${words}</p>`;
}

/**
 * What a refusal says beside which field.
 *
 * @param labels how the form calls its fields.
 */
export function errorsOf(refusal: Refusal, labels: Readonly<Record<string, string>>): Errors {
  switch (refusal.refusal) {
    case 'WRONG_VALUE':
      return { [refusal.field]: sentence(refusal, labels) };
    case 'NAME_TAKEN':
      return { name: `There is a ${refusal.thing} of this name already.` };
    case 'UNKNOWN':
      return refusal.thing === 'channel'
        ? { channel_id: 'This channel was removed.' }
        : { second_route_id: 'This route was removed.' };
    case 'OF_ENVIRONMENT':
      return { '': 'Its settings are variables of the worker: change them there.' };
    case 'IN_USE':
      return { '': `It is in use by ${refusal.routes.join(', ')}.` };
    case 'SUBSCRIPTION':
      return { '': 'It is the subscription of a person, who alone changes it.' };
    case 'NOT_RETRIED':
    case 'PROBLEM_CLOSED':
      return { '': 'That is not possible any more.' };
  }
}

/** "Mail server must be …": the problem with the words of the form instead of the names of columns. */
export function sentence(
  { field, problem }: { field: string; problem: string },
  labels: Readonly<Record<string, string>>,
): string {
  // A name of one word, such as `from`, is a word of the sentence.
  const columns = Object.entries(labels).filter(([name]) => name.includes('_'));
  const words = columns.reduce(
    (text, [name, label]) => text.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), `“${label}”`),
    problem,
  );
  return `${labels[field] ?? field} ${words}.`;
}

/** The text of a field as it was sent, trimmed; several lines stay. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : '';
}

/** What was chosen of a list, as it was sent. */
export function chosenOf(value: unknown): string[] {
  return [value ?? []].flat().filter((one) => typeof one === 'string' && one !== '') as string[];
}

/** The entries of a field with commas or lines between them, or of one that was sent several times. */
export function listOf(value: unknown): string[] {
  return [value ?? []]
    .flat()
    .flatMap((one) => (typeof one === 'string' ? one.split(/[,\r\n]/) : []))
    .map((one) => one.trim())
    .filter((one) => one !== '');
}
