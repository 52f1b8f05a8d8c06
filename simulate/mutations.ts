/** Planted bugs: one text of the rules, the loop or the course of a poll replaced by another. The simulation must find each within a few seeds. */
export interface Mutation {
  name: string;
  file: string;
  from: string;
  to: string;
}

export const mutations: readonly Mutation[] = [
  {
    name: 'a slot is skipped',
    file: 'domain/slots.ts',
    from: 'return atMs - sinceSlotMs(grid, atMs) + grid.intervalMs;',
    to: 'return atMs - sinceSlotMs(grid, atMs - 1) + grid.intervalMs;',
  },
  {
    name: 'the oldest missed slot has no row',
    file: 'domain/slots.ts',
    from: 'catchUp - missedCount * grid.intervalMs,',
    to: 'catchUp - Math.max(1, missedCount - 1) * grid.intervalMs,',
  },
  {
    name: 'a measurement counts for the day on which it is read',
    file: 'domain/plants/day.ts',
    from: 'const date = localDateAt(atMs, plant.timezone);',
    to: 'const date = localDateAt(nowMs, plant.timezone);',
  },
  {
    name: "yesterday's total passes the guard",
    file: 'domain/plants/day-guards.ts',
    from: 'return lifetimeTells ? riseKwh <= 0',
    to: 'return lifetimeTells ? riseKwh > 0',
  },
  {
    name: 'the lifetime guard is off',
    file: 'domain/plants/day-guards.ts',
    from: 'if (riseKwhMax !== null && energyKwh > riseKwhMax + roundingKwh)',
    to: 'if (riseKwhMax !== null && energyKwh > riseKwhMax * 10 + roundingKwh)',
  },
  {
    name: "a running day's total may fall",
    file: 'domain/plants/day.ts',
    from: '? Math.max(row.todayEnergyKwh, energyKwh)',
    to: '? energyKwh',
  },
  {
    name: 'a refused total proves life again and again',
    file: 'domain/plants/day.ts',
    from: 'const hasRisen = own !== null && (lifetime.rose || hasTotalRisen(own, days.row));',
    to: 'const hasRisen = lifetime.rose || (own !== null && hasTotalRisen(own, days.row));',
  },
  {
    name: 'every day has 24 hours',
    file: 'domain/zone.ts',
    from: 'return startOfDayMs(addDays(date, 1), timezone);',
    to: 'return startOfDayMs(date, timezone) + dayMs;',
  },
  {
    name: 'YELLOW at exactly 2 h',
    file: 'domain/plants/status.ts',
    from: 'countedSilenceMs(facts, lastSeenAtMs, nowMs, yellowAfterMs) > yellowAfterMs',
    to: 'countedSilenceMs(facts, lastSeenAtMs, nowMs, yellowAfterMs) >= yellowAfterMs',
  },
  {
    name: 'a paused plant keeps its colour',
    file: 'domain/plants/status.ts',
    from: "if (integrationStatus !== 'ACTIVE') return integrationStatus;",
    to: "if (integrationStatus === 'PENDING_DOCS') return integrationStatus;",
  },
  {
    name: 'a failed call about alarms resolves them',
    file: 'domain/plants/alerts.ts',
    from: "if (alarms !== null && 'alarms' in alarms) reconcileVendorAlarms(book, before, alarms, nowMs);",
    to: "if (alarms !== null) reconcileVendorAlarms(book, before, 'alarms' in alarms ? alarms : { alarms: [], complete: true, since: new Date(0).toISOString() }, nowMs);",
  },
  {
    name: 'a list that was cut off resolves what it lacks',
    file: 'domain/plants/vendor-alarms.ts',
    from: 'if (!answer.complete) return;',
    to: '',
  },
  {
    name: 'two devices share one alert',
    file: 'domain/alerts.ts',
    from: ' && a.deviceSn === b.deviceSn;',
    to: ';',
  },
  {
    name: 'POLL comes with the fourth failure',
    file: 'domain/plants/alerts.ts',
    from: 'if (plant.consecutiveFailures >= failedPollsMax)',
    to: 'if (plant.consecutiveFailures > failedPollsMax)',
  },
  {
    name: 'what returns is announced again at once',
    file: 'domain/alerts.ts',
    from: 'const isTold = inheritedMs !== null &&',
    to: 'const isTold = inheritedMs === 0 &&',
  },
  {
    name: 'people are woken at six',
    file: 'domain/alerts.ts',
    from: 'const tellFromMinutes = 7 * 60;',
    to: 'const tellFromMinutes = 6 * 60;',
  },
  {
    name: 'the day itself is among the days that it is compared with',
    file: 'domain/plants/low-generation.ts',
    from: 'day.complete && day.date >= from && day.date < date',
    to: 'day.complete && day.date > from && day.date <= date',
  },
  {
    name: 'the night is judged, and the morning',
    file: 'domain/plants/low-generation.ts',
    from: 'const judgedFromMedianPart = 1 / 2;',
    to: 'const judgedFromMedianPart = 0;',
  },
  {
    name: 'a zero of the series overwrites a day',
    file: 'domain/plants/refresh.ts',
    from: 'if (seriesKwh === 0 && row.todayEnergyKwh > 0) {',
    to: 'if (seriesKwh === 0 && row.todayEnergyKwh < 0) {',
  },
  {
    name: 'a final day is changed',
    file: 'domain/plants/refresh.ts',
    from: "if (row?.quality === 'FINAL') return leave(null,",
    to: "if (row?.quality === 'FINAL' && ageDays > 99) return leave(null,",
  },
  {
    name: 'a loop sleeps for ever',
    file: 'domain/slots.ts',
    from: 'return atMs - sinceSlotMs(grid, atMs) + grid.intervalMs;',
    to: 'return atMs - sinceSlotMs(grid, atMs) + 1_000 * grid.intervalMs;',
  },
  {
    name: 'a poll in one step forgets what was booked',
    file: 'domain/plants/poll.ts',
    from: '{ slotMs, nowMs, result, booked });',
    to: '{ slotMs, nowMs, result, booked: null });',
  },
  {
    name: 'a poll in one step knows no day at its time',
    file: 'domain/plants/poll.ts',
    from: 'daysAtTime: daysAtTime(booked.seenAtMs ?? nowMs) };',
    to: 'daysAtTime: [] };',
  },
  {
    name: 'days that are missing are not asked for',
    file: 'domain/plants/day.ts',
    from: 'if (!isFilled && (isBack || !before.askedInVain.includes(date))) gaps.push(date);',
    to: 'if (!isFilled && isBack) gaps.push(date);',
  },
  {
    name: 'days that nobody closed stay open',
    file: 'domain/plants/closing.ts',
    from: 'const missedClosingsMax = 3;',
    to: 'const missedClosingsMax = 0;',
  },
  {
    name: 'refused credentials are tried again',
    file: 'domain/plants/retry.ts',
    from: 'attemptsMade >= attemptsMax || neverRetried.has(failure.type)',
    to: 'attemptsMade >= attemptsMax',
  },
  {
    name: 'a rate limit is not waited out',
    file: 'domain/plants/retry.ts',
    from: 'waitMs: Math.max(secondAttemptWaitMs, Math.ceil(retryAfterMs))',
    to: 'waitMs: secondAttemptWaitMs',
  },
  {
    name: 'refused credentials raise nothing',
    file: 'domain/plants/alerts.ts',
    from: 'if (refusal !== null && isOwn)',
    to: 'if (refusal !== null && isOwn && plant.consecutiveFailures > 99)',
  },
  {
    name: 'a postponed poll counts as polled',
    file: 'workflows/plants/loop.ts',
    from: '        isOver = false;',
    to: '',
  },
  {
    name: 'a new run forgets its newest slot',
    file: 'workflows/plants/loop.ts',
    from: "return { kind: 'NEW_RUN', input };",
    to: "return { kind: 'NEW_RUN', input: { ...input, state: { ...state, lastSlotMs: null } } };",
  },
  {
    name: 'a poll serves requests that came after it began',
    file: 'workflows/plants/loop.ts',
    from: 'requests.served = serves;',
    to: 'requests.served = requests.asked;',
  },
  {
    name: 'a requested poll passes over the slot that came up',
    file: 'workflows/plants/loop.ts',
    from: "if (!this.#isOldSteps() && this.#nextDue().kind !== 'MANUAL') return;",
    to: '',
  },
  {
    name: 'the older slots of a late loop have no row',
    file: 'workflows/plants/decisions.ts',
    from: 'missed: missedOf(late),',
    to: 'missed: null,',
  },
  {
    name: 'a burst is polled request by request',
    file: 'workflows/plants/decisions.ts',
    from: 'return requests > burstRequests;',
    to: 'return requests > 1e9;',
  },
  {
    name: 'slots come before every closing',
    file: 'workflows/plants/decisions.ts',
    from: 'wakeMs < due.atMs)',
    to: 'wakeMs > due.atMs)',
  },
  {
    name: 'a request to a paused plant is never answered',
    file: 'workflows/plants/loop.ts',
    from: "if (state.integrationStatus !== 'ACTIVE' && this.#isAsked()) this.#refuseRequests();",
    to: '',
  },
  {
    name: 'single steps begin before their slot',
    file: 'workflows/plants/poll.ts',
    from: 'if (begun === null && earlyMs > 0) await effects.sleep(earlyMs);',
    to: '',
  },
  {
    name: 'the second attempt comes at once',
    file: 'workflows/plants/poll.ts',
    from: 'await effects.sleep(after.waitMs);',
    to: '',
  },
  {
    name: 'missing days are not filled',
    file: 'workflows/plants/poll.ts',
    from: 'if (gaps.length > 0)',
    to: 'if (gaps.length > 99)',
  },
  {
    name: 'a poll that was booked before its worker died reads as skipped',
    file: 'workflows/plants/poll.ts',
    from: 'return { poll: result.poll, standing: null };',
    to: "return { poll: 'SKIPPED_LOCKED', standing: null };",
  },
  {
    name: 'a pause by signal is ignored',
    file: 'workflows/plants/loop.ts',
    from: '    this.#integrationWish = to;',
    to: '    void to;',
  },
  {
    name: 'a run never ends',
    file: 'workflows/plants/decisions.ts',
    from: 'return run.polls >= pollsMax ||',
    to: 'return run.polls >= 1e9 ||',
  },
  {
    name: 'a new run forgets how its worker polls',
    file: 'workflows/plants/loop.ts',
    from: "this.#nextCourse = standing.course ?? 'WHOLE';",
    to: "this.#nextCourse = 'WHOLE';",
  },
];
