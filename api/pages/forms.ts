import { html } from 'hono/html';

import type { Html } from './components.ts';

/** The parts of every form, and of links that act in place. */

/**
 * The attributes of a form: with a script it is sent in place; without one it still works.
 *
 * @param focusNext selects what gets the keyboard's focus afterwards, where the form is gone; absent: the page's content.
 */
export function sentInPlace(action: string, focusNext?: string): Html {
  return html`method="post" action="${action}" hx-post="${action}" hx-target="#live"
  hx-select="#live" hx-swap="outerMorph" hx-sync="#live:replace" hx-disable="find button"
  ${focusNext === undefined ? '' : html`data-focus-next="${focusNext}"`}`;
}

/** Attributes of a link or form that replaces the page's content and address without a full load. */
export const replacesPage = html`hx-target="#live" hx-select="#live" hx-swap="outerMorph"
hx-push-url="true" hx-sync="#live:replace"`;

/** The attributes of such a link. */
export function go(href: string): Html {
  return html`href="${href}" hx-get="${href}" ${replacesPage}`;
}

/** A form that unfolds in place. */
interface Sheet {
  action: string;
  fields: Html;
  /** The text of its button. */
  button: Html | string;
  /** As of `sentInPlace`. */
  focusNext?: string;
}

/** The form of a menu: its fields, the place of an error, and a button. */
export function sheetForm({ action, fields, button, focusNext }: Sheet): Html {
  return html`<form class="sheet" ${sentInPlace(action, focusNext)}>
    ${fields}
    <p class="form-error" role="alert"></p>
    <button class="main" type="submit">${button}</button>
  </form>`;
}

/** The text of a button, and its text while the request runs. */
export function busyText(idle: string, busy: string): Html {
  return html`<span class="idle-text">${idle}</span><span class="busy-text">${busy}</span>`;
}
