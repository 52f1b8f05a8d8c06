/** How long a test waits for what must only not hang: on a busy machine a second passes without a turn. */
export const patience = { timeout: 30_000 } as const;
