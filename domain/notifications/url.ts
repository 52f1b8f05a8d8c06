import { isLoopbackName } from '../loopback-host.ts';

/**
 * Whether a message may go to this URL.
 *
 * @returns a sentence that says what is wrong with it, without the URL, which is a secret; null: nothing.
 */
export function urlProblem(url: string): string | null {
  if (!URL.canParse(url)) return 'it is no URL';
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') return 'it holds a user name or a password';
  if (protocol === 'https:') return null;
  if (protocol !== 'http:') return 'it is not https';
  return isLoopbackName(hostname) ? null : 'it is not https (http goes to this machine only)';
}
