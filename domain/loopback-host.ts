/** Whether a Host header names the machine itself: `localhost:8080`, `127.0.0.1`, `[::1]:9464`. */
export function isLoopbackHost(host: string | undefined): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i.test(host ?? '');
}

/** Whether a host name or an address is the machine itself: `localhost`, `127.0.0.1`, `::1`, `[::1]`. */
export function isLoopbackName(name: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1|\[::1\])$/.test(name);
}
