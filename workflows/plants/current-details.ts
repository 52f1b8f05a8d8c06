import type { PlantState } from './messages.ts';

/** The plant in a few lines of Markdown: what the Temporal Web UI shows as "current details". */
export function currentDetails(state: PlantState): string {
  const poll = state.last_poll;
  return [
    `**${state.status ?? 'not evaluated yet'}** ${state.status_reason ?? ''} since ${state.status_since ?? '–'}`,
    `- last seen: ${state.last_seen_at ?? 'never'}`,
    `- last poll: ${poll === null ? 'none yet' : `${poll.scheduled_for} ${poll.trigger} ${poll.outcome}${poll.error === null ? '' : `: ${poll.error}`}`}`,
    `- next slot: ${state.next_slot ?? `none (${state.integration_status ?? 'unknown'})`}`,
    `- open alerts: ${state.open_alerts}`,
  ].join('\n');
}
