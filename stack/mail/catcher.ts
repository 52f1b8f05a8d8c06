import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

/** A mail server of a development machine that keeps what it gets, and a page that shows it. Both listen on loopback only. */

/** Older mails are forgotten. */
const mailsMax = 500;
/** A mail that is larger is refused. */
const mailBytesMax = 1024 * 1024;

interface Mail {
  id: number;
  receivedAt: Date;
  from: string;
  to: string[];
  subject: string;
  text: string;
  html: string | null;
}

export interface MailCatcher {
  smtpPort: number;
  /** The page that shows the mails. */
  url: string;
  close(): Promise<void>;
}

/** @param options the ports (0 takes a free one), and what is called for each mail that was taken. */
export async function startMailCatcher(options: {
  smtp: number;
  http: number;
  took?: () => void;
}): Promise<MailCatcher> {
  const mails: Mail[] = [];
  let lastId = 0;
  const smtp = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    size: mailBytesMax,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (stream.sizeExceeded) {
          callback(Object.assign(new Error('the mail is too large'), { responseCode: 552 }));
          return;
        }
        const { mailFrom, rcptTo } = session.envelope;
        const envelope = {
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
        };
        void take(Buffer.concat(chunks), envelope, callback);
      });
    },
  });
  async function take(
    raw: Buffer,
    envelope: Pick<Mail, 'from' | 'to'>,
    done: (error?: Error) => void,
  ): Promise<void> {
    try {
      await keep(raw, envelope);
      done();
    } catch (error) {
      done(error as Error);
    }
  }
  async function keep(raw: Buffer, envelope: Pick<Mail, 'from' | 'to'>): Promise<void> {
    const { subject = '', text = '', html = null } = await PostalMime.parse(raw);
    mails.unshift({ id: (lastId += 1), receivedAt: new Date(), ...envelope, subject, text, html });
    mails.length = Math.min(mails.length, mailsMax);
    options.took?.();
  }
  // A client that hangs up is none of our troubles.
  smtp.on('error', () => {});
  const listening = smtp.listen(options.smtp, '127.0.0.1');
  const page = createServer(({ url = '/' }, response) => show(url, mails, response));
  page.listen(options.http, '127.0.0.1');
  await Promise.all([once(listening, 'listening'), once(page, 'listening')]);
  return {
    smtpPort: portOf(listening),
    url: `http://127.0.0.1:${portOf(page)}/`,
    async close() {
      page.closeAllConnections();
      await Promise.all([
        new Promise<void>((resolve) => smtp.close(() => resolve())),
        new Promise<void>((resolve) => page.close(() => resolve())),
      ]);
    },
  };
}

function portOf(server: { address(): unknown }): number {
  return (server.address() as { port: number }).port;
}

/** `/`: the list; `/7`: a mail as text; `/7.html`: its HTML, without scripts; `/mails.json`: all, for programs. */
function show(url: string, mails: readonly Mail[], response: ServerResponse): void {
  const [, id, isHtml] = /^\/(\d+)(\.html)?$/.exec(url) ?? [];
  const mail = mails.find((one) => String(one.id) === id);
  if (url === '/mails.json') return answer(response, 'application/json', JSON.stringify(mails));
  if (url === '/') return answer(response, 'text/html', listPage(mails));
  if (mail === undefined) return answer(response, 'text/plain', 'There is no such mail.', 404);
  if (isHtml !== undefined) return answer(response, 'text/html', mail.html ?? '');
  answer(response, 'text/html', mailPage(mail));
}

function answer(response: ServerResponse, type: string, body: string, status = 200): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'",
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

const style =
  '<style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem;max-width:60rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}pre{white-space:pre-wrap}iframe{width:100%;height:24rem;border:1px solid #999}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#8cf}}</style>';

function listPage(mails: readonly Mail[]): string {
  const rows = mails.map(
    ({ id, receivedAt, to, subject }) =>
      `<tr><td>${receivedAt.toISOString()}<td>${escaped(to.join(', '))}<td><a href="/${id}">${escaped(subject)}</a>`,
  );
  const none = '<p>No mail yet. This page renews itself.</p>';
  return `<!doctype html><html lang="en"><title>Mails</title><meta http-equiv="refresh" content="5">${style}<h1>${mails.length} mails</h1>${mails.length === 0 ? none : `<table>${rows.join('')}</table>`}`;
}

function mailPage({ id, receivedAt, from, to, subject, text, html }: Mail): string {
  const shown =
    html === null
      ? ''
      : `<h2>HTML</h2><iframe sandbox title="the mail as HTML" src="/${id}.html"></iframe>`;
  return `<!doctype html><html lang="en"><title>${escaped(subject)}</title>${style}<p><a href="/">‹ Mails</a><h1>${escaped(subject)}</h1><p>${receivedAt.toISOString()}, from ${escaped(from)} to ${escaped(to.join(', '))}<h2>Text</h2><pre>${escaped(text)}</pre>${shown}`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
