import type { Mutation } from '../mutations.ts';

/** Planted bugs of gateways, some of them those of the system that came before. A simulated site must find each. */
export const siteMutations: readonly Mutation[] = [
  {
    name: 'a failed poll moves last seen',
    file: 'domain/gateways/facts.ts',
    from: "  if (poll.trigger === 'MANUAL' || before.disabledAtMs !== null)",
    to: "  before = { ...before, lastSeenAtMs: poll.measuredAtMs };\n  if (poll.trigger === 'MANUAL' || before.disabledAtMs !== null)",
  },
  {
    name: 'gateways are polled at half their rate',
    file: 'domain/gateways/due.ts',
    from: '  return toMs !== null && slotMs >= toMs ? null : slotMs;',
    to: '  const halfMs = slotMs + (Math.floor(slotMs / grid.intervalMs) % 2) * grid.intervalMs;\n  return toMs !== null && halfMs >= toMs ? null : halfMs;',
  },
  {
    name: 'failures of a lifetime switch a gateway off',
    file: 'domain/gateways/facts.ts',
    from: '    consecutiveFailures: isOver ? 0 : before.consecutiveFailures,\n    failingSinceMs: isOver ? null : before.failingSinceMs,',
    to: '    consecutiveFailures: before.consecutiveFailures,\n    failingSinceMs: before.failingSinceMs,',
  },
  {
    name: 'polls of one socket overlap',
    file: 'activities/gateways/walk/site.ts',
    from: '    if (!this.#isBusy) this.#next();',
    to: '    this.#next();',
  },
  {
    name: 'the first slot after a UTC midnight is lost',
    file: 'domain/gateways/due.ts',
    from: '    const [today, later]: [SlotRun | null, SlotRun | null] = cutAfter(rest, midnightMs - 1);',
    to: '    const [today, after]: [SlotRun | null, SlotRun | null] = cutAfter(rest, midnightMs - 1);\n    const later: SlotRun | null = after === null || after.count === 1 ? null : { ...after, firstMs: after.firstMs + after.intervalMs, count: after.count - 1 };',
  },
  {
    name: 'missed slots reach over midnight',
    file: 'domain/gateways/due.ts',
    from: '(Math.floor(rest.firstMs / dayMs) + 1) * dayMs;',
    to: '(Math.floor(rest.firstMs / dayMs) + 9) * dayMs;',
  },
  {
    name: 'the slot that is caught up is counted as missed too',
    file: 'activities/gateways/walk/slots.ts',
    from: 'const missed = deadlineMs === null ? run : withoutLast(run);',
    to: 'const missed = deadlineMs === null || run.count > 1 ? run : withoutLast(run);',
  },
  {
    name: 'a zero between two totals is booked',
    file: 'domain/gateways/counters.ts',
    from: '  if (!isConfirmed(pending)) return { isGood: false, state: { ...before, pending } };',
    to: '  if (!isConfirmed(pending)) return { isGood: true, state: { ...before, pending } };',
  },
  {
    name: 'gateways are switched off while our network fails',
    file: 'domain/gateways/evaluation.ts',
    from: "  return mustDisable(facts, plan, limits) && !isOurNetwork ? 'DISABLE' : null;",
    to: "  return mustDisable(facts, plan, limits) || isOurNetwork === null ? 'DISABLE' : null;",
  },
  {
    name: 'polls that a back-off refused count as failures',
    file: 'domain/gateways/facts.ts',
    from: '  if (poll.isBackOff) {',
    to: "  if (poll.isBackOff && before.recent === 'never') {",
  },
  {
    name: 'one good probe brings a gateway back',
    file: 'domain/gateways/disable.ts',
    from: 'const goodProbesToReturn = 2;',
    to: 'const goodProbesToReturn = 1;',
  },
  {
    name: 'a gateway that answers again stays switched off',
    file: 'domain/gateways/evaluation.ts',
    from: "return mayReturn(facts) ? 'RETURN' : null;",
    to: "return mayReturn(facts) && facts.goodProbes > 99 ? 'RETURN' : null;",
  },
  {
    name: 'an outage of ours makes gateways OFFLINE',
    file: 'domain/gateways/status.ts',
    from: '!facts.recent.endsWith(offlineFailures))',
    to: "facts.recent === 'never')",
  },
  {
    name: 'DEGRADED comes with one failed poll too many',
    file: 'domain/gateways/status.ts',
    from: '  if (failed <= failedOfRecentMax) return null;',
    to: '  if (failed <= failedOfRecentMax + 1) return null;',
  },
  {
    name: 'a gateway that returns keeps its old failures',
    file: 'domain/gateways/disable.ts',
    from: "    recent: '',",
    to: '    recent: facts.recent,',
  },
];
