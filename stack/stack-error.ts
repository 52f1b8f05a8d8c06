/** The stack cannot start or stop; the message is one or two sentences for the person at the terminal. */
export class StackError extends Error {
  override name = 'StackError';
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a failed system call (`ENOENT`, `EACCES` …); undefined if there is none. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
