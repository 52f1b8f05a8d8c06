import { html } from 'hono/html';

import type { Html } from '../pages/components.ts';

/** The sign-in form and the password form: fields, one button, the error above the button. */
export function signInForm(view: {
  email: string;
  error: string | null;
  next: string | null;
}): Html {
  return html`<form method="post" action="/login">
    ${view.next === null ? '' : html`<input type="hidden" name="next" value="${view.next}" />`}
    <label
      ><span>E-mail</span
      ><input
        type="email"
        name="email"
        value="${view.email}"
        autocomplete="username"
        required
        ${view.email === '' ? html`autofocus` : ''}
    /></label>
    <label
      ><span>Password</span
      ><input
        type="password"
        name="password"
        autocomplete="current-password"
        required
        ${view.email === '' ? '' : html`autofocus`}
    /></label>
    <p class="form-error" role="alert">${view.error ?? ''}</p>
    <button class="main" type="submit">Sign in</button>
  </form>`;
}

/** @param view.first a first sign-in, which must choose a new password. */
export function passwordForm(view: {
  email: string;
  first: boolean;
  error: string | null;
  lengthMin: number;
}): Html {
  return html`<h2>${view.first ? 'Choose your own password' : 'Change password'}</h2>
    <p class="muted">
      ${view.first ? 'The one you signed in with was temporary. ' : ''}At least ${view.lengthMin}
      characters.
    </p>
    <form method="post" action="/password">
      <input type="hidden" name="username" value="${view.email}" autocomplete="username" />
      <label
        ><span>Current password</span
        ><input
          type="password"
          name="current_password"
          autocomplete="current-password"
          required
          autofocus
      /></label>
      <label
        ><span>New password</span
        ><input
          type="password"
          name="new_password"
          autocomplete="new-password"
          minlength="${view.lengthMin}"
          required
      /></label>
      <label
        ><span>New password, again</span
        ><input
          type="password"
          name="new_password_again"
          autocomplete="new-password"
          minlength="${view.lengthMin}"
          required
      /></label>
      <p class="form-error" role="alert">${view.error ?? ''}</p>
      <button class="main" type="submit">Change password</button>
    </form>
    ${view.first ? html`<form method="post" action="/logout"><button type="submit">Sign out</button></form>` : html`<p><a href="/">Back to the fleet</a></p>`}`;
}
