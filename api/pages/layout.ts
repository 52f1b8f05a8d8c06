import { html } from 'hono/html';

import type { Role } from '../../db/tables.ts';
import type { ReaderZone } from '../../domain/zone.ts';
import { type Html, logo } from './components.ts';
import { choiceOf, zoneWords } from './reader-zone.ts';

/** The viewer of the page; null before the sign-in. */
export interface Viewer {
  email: string;
  role: Role;
}

/** What the viewer's role allows; the page hides buttons that would be refused. */
export function viewerMay(viewer: Viewer): {
  act: boolean;
  seeSystem: boolean;
  administer: boolean;
} {
  const isStaff = viewer.role !== 'CUSTOMER';
  return { act: isStaff, seeSystem: isStaff, administer: viewer.role === 'ADMIN' };
}

/** Links to the page's assets, with their content hash. */
export interface AssetUrls {
  css: string;
  js: string;
  htmx: string;
  uplotCss: string;
  uplot: string;
  icon: string;
}

/** What a page says of itself when it is shown. */
export type ShownFrame = Pick<PageFrame, 'title' | 'section' | 'charts'> & {
  /** It has a form that a renewal would empty. */
  isForm?: boolean;
  /** 422: what was sent is wrong. */
  status?: 200 | 422;
};

export interface PageFrame {
  title: string;
  /** The link in the header that is this page. */
  section: 'fleet' | 'gateways' | 'alerts' | 'system' | 'notifications' | null;
  viewer: Viewer;
  /** Whose clock its times follow. */
  zone: ReaderZone;
  /** The path of the page, to which the choice of the zone leads back. */
  path: string;
  assets: AssetUrls;
  /** When the page was rendered; shown if a refresh fails. */
  renderedAt: string;
  /** How often the page renews itself, s; null: never. */
  refreshS: number | null;
  charts?: boolean;
}

// Limits htmx to what a page needs: no inline script or style, no swap of error responses, a time-out for requests.
const htmxConfig = JSON.stringify({
  includeIndicatorCSS: false,
  defaultTimeout: 40_000,
  history: 'reload',
  noSwap: [204, 304, '4xx', '5xx'],
  morphIgnore: ['data-htmx-powered', 'open'],
});

function head(title: string, assets: AssetUrls, charts: boolean): Html {
  return html`<head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="htmx-config" content="${htmxConfig}" />
    <title>${title}</title>
    <link rel="icon" href="${assets.icon}" type="image/svg+xml" />
    ${charts ? html`<link rel="stylesheet" href="${assets.uplotCss}" />` : ''}
    <link rel="stylesheet" href="${assets.css}" />
    <script src="${assets.htmx}" defer></script>
    ${charts ? html`<script src="${assets.uplot}" defer></script>` : ''}
    <script src="${assets.js}" defer></script>
  </head>`;
}

/** A whole page for a person who is signed in; `content` renews itself in place. */
export function page(frame: PageFrame, content: Html): Html {
  const { viewer, assets, section } = frame;
  const link = (name: PageFrame['section'], href: string, text: string): Html =>
    html`<a href="${href}" ${section === name ? html`aria-current="page"` : ''}>${text}</a>`;
  return html`<!doctype html>
    <html lang="en">
      ${head(`${frame.title} · Heliograph`, assets, frame.charts === true)}
      <body>
        <a class="skip" href="#live">Skip to content</a>
        <header class="top">
          <a class="brand" href="/" aria-label="Heliograph">${logo()}<span>Heliograph</span></a>
          <nav aria-label="Pages">
            ${link('fleet', '/', 'Fleet')}${link('gateways', '/gateways', 'Gateways')}${link('alerts', '/alerts', 'Alerts')}${viewerMay(viewer).seeSystem ? link('system', '/system', 'System') : ''}${viewerMay(viewer).administer ? adminMenu(frame) : ''}
          </nav>
          <details class="menu account">
            <summary><span>${viewer.email}</span></summary>
            <div class="sheet">
              <p>${viewer.role}</p>
              ${zoneForm(frame)}
              ${viewerMay(viewer).administer ? html`<a class="narrow" href="/admin/notifications">Notifications</a>` : ''}
              <a href="/account">Account</a>
              <a href="/password">Change password</a>
              <form method="post" action="/logout"><button type="submit">Sign out</button></form>
            </div>
          </details>
        </header>
        <div class="banner hatch" id="unreached" role="status" aria-live="polite"></div>
        <main
          id="live"
          data-rendered-at="${frame.renderedAt}"
          ${frame.refreshS === null ? '' : html`data-refresh-s="${frame.refreshS}"`}
        >
          ${content}
        </main>
      </body>
    </html>`;
}

/** The choice of whose clock times follow. */
function zoneForm({ zone, path }: PageFrame): Html {
  const chosen = choiceOf(zone);
  return html`<form class="zone" method="post" action="/zone">
    <input type="hidden" name="back" value="${path}" />
    <label
      ><span>Times</span
      ><select id="zone" name="zone">
        ${Object.entries(zoneWords).map(
          ([choice, words]) =>
            html`<option value="${choice}" ${choice === chosen ? html`selected` : ''}>
              ${words}
            </option>`,
        )}
      </select></label
    >
    <label
      ><span>Own zone</span
      ><input
        id="own-zone"
        name="own"
        value="${chosen === 'own' ? zone : ''}"
        placeholder="Europe/Amsterdam"
        maxlength="100"
        autocomplete="off"
    /></label>
    <button type="submit">Show times so</button>
  </form>`;
}

/** The pages of an ADMIN. On a small screen they are in the menu of the account. */
function adminMenu({ section }: PageFrame): Html {
  const current = section === 'notifications' ? html`aria-current="page"` : '';
  return html`<details class="menu admin">
    <summary>Admin</summary>
    <div class="sheet"><a href="/admin/notifications" ${current}>Notifications</a></div>
  </details>`;
}

/** A small page with one item: sign-in, a new password, or an error. */
export function sheetPage(title: string, assets: AssetUrls, content: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      ${head(`${title} · Heliograph`, assets, false)}
      <body>
        <main class="sheet-page" id="live">
          <div>
            <h1>${logo()} Heliograph</h1>
            ${content}
          </div>
        </main>
      </body>
    </html>`;
}
