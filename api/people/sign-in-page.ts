import { html } from 'hono/html';

import { charactersMin } from '../auth/passwords.ts';
import type { Html } from '../pages/components.ts';

/** The sign-in forms and the password form: fields, one button, the error above the button. */

/** A labelled field that must be filled. `attributes` is the rest of the input's tag. */
function field(label: string, name: string, attributes: Html): Html {
  return html`<label><span>${label}</span><input name="${name}" required ${attributes} /></label>`;
}

export function signInForm(view: { email: string; error: string | null; next: string }): Html {
  const { email, error, next } = view;
  const isFirst = email === '';
  return html`<form method="post" action="/login">
    <input type="hidden" name="next" value="${next}" />
    ${field('E-mail', 'email', html`type="email" value="${email}" autocomplete="username" ${isFirst ? html`autofocus` : ''}`)}
    ${field('Password', 'password', html`type="password" autocomplete="current-password" ${isFirst ? '' : html`autofocus`}`)}
    <p class="form-error" role="alert">${error ?? ''}</p>
    <button class="main" type="submit">Sign in</button>
  </form>`;
}

/** What a one-time link opens. Its person may set a password at once, without the old one. */
export function linkForm(email: string, token: string): Html {
  return html`<p>Sign in as <b>${email}</b>.</p>
    <form method="post" action="/sign-in">
      <input type="hidden" name="token" value="${token}" />
      <button class="main" type="submit" autofocus>Sign in</button>
      <button type="submit" name="next" value="password">Sign in and set a password</button>
    </form>`;
}

/**
 * @param view.first a first sign-in, which must choose a new password.
 * @param view.needsCurrent false after a one-time link.
 */
export function passwordForm(view: {
  email: string;
  first: boolean;
  needsCurrent: boolean;
  error: string | null;
}): Html {
  const fresh = html`type="password" autocomplete="new-password" minlength="${charactersMin}"`;
  return html`<h2>${view.first ? 'Choose your own password' : 'Change password'}</h2>
    <p class="muted">
      ${view.needsCurrent && view.first ? 'The password you signed in with was temporary. ' : ''}At
      least ${charactersMin}
      characters.${view.needsCurrent ? '' : ' Your link stands for the old password.'}
    </p>
    <form method="post" action="/password">
      <input type="hidden" name="username" value="${view.email}" autocomplete="username" />
      ${view.needsCurrent ? field('Current password', 'current_password', html`type="password" autocomplete="current-password" autofocus`) : ''}
      ${field('New password', 'new_password', fresh)}
      ${field('New password, again', 'new_password_again', fresh)}
      <p class="form-error" role="alert">${view.error ?? ''}</p>
      <button class="main" type="submit">Change password</button>
    </form>
    ${view.first ? html`<form method="post" action="/logout"><button type="submit">Sign out</button></form>` : html`<p><a href="/">Back to the fleet</a></p>`}`;
}
