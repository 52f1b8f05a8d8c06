// What the pages need in the browser beside htmx: they renew themselves, say so when they cannot, and draw their charts.
// Everything works without this file but that.
(() => {
  'use strict';

  const live = () => document.getElementById('live');
  const notice = () => document.getElementById('unreached');

  // --- Renewing in place -------------------------------------------------------------------------------------------

  let renewedAt = Date.now();

  /** Asks for this very page again and merges it: focus, selection, scroll and open forms stay where they are. */
  function renew() {
    const main = live();
    if (!main || document.hidden) return;
    htmx.ajax('GET', location.pathname + location.search, {
      source: main,
      target: main,
      select: '#live',
      swap: 'outerMorph',
      headers: { 'X-Renewal': '1' },
    });
  }

  function schedule() {
    const seconds = Number(live()?.dataset.refreshS);
    if (!seconds) return;
    setTimeout(() => {
      renew();
      schedule();
    }, seconds * 1000);
  }

  const isRenewal = (ctx) => ctx?.sourceElement?.id === 'live';

  function unreached(why) {
    const since = live()?.dataset.renderedAt;
    notice().textContent = `Not updated since ${since}: ${why}. What you see is as it was then.`;
    document.documentElement.classList.add('unreached');
  }

  function reached() {
    renewedAt = Date.now();
    document.documentElement.classList.remove('unreached');
    notice()?.replaceChildren();
  }

  /**
   * What gets the focus after an action whose form had it, if that is gone then: a selector, by the action's `ctx`, which
   * names another element once its form is gone.
   */
  const focusThen = new WeakMap();

  function keepFocus(ctx) {
    const then = focusThen.get(ctx);
    if (then === undefined) return;
    if (document.activeElement && document.activeElement !== document.body) return;
    const place = (then && document.querySelector(then)) || live();
    // The content as a whole takes focus only from here.
    if (place === live()) place.tabIndex = -1;
    place?.focus();
  }

  document.addEventListener('htmx:config:request', (event) => {
    const { sourceElement: form } = event.detail.ctx;
    if (!isRenewal(event.detail.ctx) && form?.contains(document.activeElement))
      focusThen.set(event.detail.ctx, form.dataset.focusNext ?? '');
    // A renewal that hangs is a renewal that failed; a poll of a plant may take its 30 s.
    if (isRenewal(event.detail.ctx)) event.detail.ctx.request.timeout = 8000;
  });

  document.addEventListener('htmx:error', (event) => {
    const { ctx } = event.detail;
    if (isRenewal(ctx)) unreached('Heliograph does not answer');
    else
      showProblem(
        ctx?.sourceElement,
        'Heliograph does not answer. Nothing was changed; try again.',
      );
  });

  document.addEventListener('htmx:response:error', (event) => {
    const { ctx } = event.detail;
    const status = ctx.response.status;
    if (status === 401) {
      location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
      return;
    }
    if (isRenewal(ctx)) unreached(`Heliograph answers with ${status}`);
    else {
      const answer = new DOMParser().parseFromString(ctx.text ?? '', 'text/html');
      showProblem(
        ctx.sourceElement,
        answer.querySelector('[data-problem]')?.textContent ?? `Refused (${status}).`,
      );
    }
  });

  document.addEventListener('htmx:after:swap', (event) => {
    const { ctx } = event.detail;
    if (ctx?.target?.id === 'live') reached();
    keepFocus(ctx);
    drawCharts();
  });

  /** The answer to an action came: what stands around it may have changed. */
  document.addEventListener('renew', renew);
  document.addEventListener('visibilitychange', () => {
    const seconds = Number(live()?.dataset.refreshS);
    if (!document.hidden && seconds && Date.now() - renewedAt > seconds * 1000) renew();
  });

  function showProblem(element, text) {
    const place = element?.querySelector?.('.form-error');
    if (place) place.textContent = text;
    else {
      notice().textContent = text;
      document.documentElement.classList.add('unreached');
    }
  }

  // --- Menus -------------------------------------------------------------------------------------------------------

  document.addEventListener('click', (event) => {
    for (const menu of document.querySelectorAll('details.menu[open]')) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    for (const menu of document.querySelectorAll('details.menu[open]')) {
      menu.open = false;
      menu.querySelector('summary').focus();
    }
  });

  // --- Whose clock times follow ---------------------------------------------------------------------------------------

  /** A reader who has named no zone is offered that of the browser. */
  const ownZone = document.getElementById('own-zone');
  if (ownZone?.value === '')
    ownZone.value = new Intl.DateTimeFormat().resolvedOptions().timeZone ?? '';

  // --- Charts ------------------------------------------------------------------------------------------------------

  /** The drawn charts by their element: { plot, source } */
  const drawn = new WeakMap();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clock = (minute) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(Math.floor(minute % 60)).padStart(2, '0')}`;
  const figure = (value, digits, unit) =>
    value == null ? '–' : `${value.toFixed(digits)} ${unit}`;

  /** The clock of the zone over two days, else the date. */
  function timeOfPoint(seconds, { at, zone: timeZone }) {
    const isLong = at.at(-1) - at[0] > 2 * 86_400_000;
    const shown = isLong
      ? { month: '2-digit', day: '2-digit' }
      : { hour: '2-digit', minute: '2-digit' };
    return new Intl.DateTimeFormat('en-GB', { timeZone, ...shown }).format(seconds * 1000);
  }

  /** A line is drawn without its points, but for one that stands alone between two gaps. */
  const alone = {
    size: 4,
    filter: (plot, series) => {
      const values = plot.data[series];
      return values.flatMap((value, i) =>
        value != null && values[i - 1] == null && values[i + 1] == null ? [i] : [],
      );
    },
  };

  function axis(extra) {
    return {
      size: 28,
      stroke: () => colour('--muted'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: () => colour('--line'), width: 1 },
      ticks: { show: false },
      ...extra,
    };
  }

  /** Diagonal lines, for what is not final. */
  function hatching(stroke) {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 8;
    const pen = tile.getContext('2d');
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const x of [-8, 0, 8]) {
      pen.moveTo(x, 8);
      pen.lineTo(x + 8, 0);
    }
    pen.stroke();
    return pen.createPattern(tile, 'repeat');
  }

  const kinds = {
    /** kW over the minutes of the plant's day: today's line over yesterday's. */
    power: (chart) => ({
      data: [chart.minutes, chart.yesterday, chart.today],
      options: {
        scales: {
          x: { time: false, range: [0, 1440] },
          y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 1, 0.1) * 1.05] },
        },
        axes: [
          axis({
            splits: () => [0, 240, 480, 720, 960, 1200, 1440],
            values: (_, splits) => splits.map(clock),
          }),
          axis({ size: 48 }),
        ],
        series: [
          {},
          { stroke: () => colour('--muted'), width: 1.5, dash: [4, 3], points: alone },
          { stroke: () => colour('--accent'), width: 2, points: alone },
        ],
      },
      reading: (i) =>
        `${clock(chart.minutes[i])}  today ${figure(chart.today[i], 2, 'kW')}, yesterday ${figure(chart.yesterday[i], 2, 'kW')}`,
    }),
    /** kWh of each day, hatched where not final, with the median of the 7 days before it. */
    energy: (chart) => {
      const days = chart.dates.map((_, i) => i);
      const bars = uPlot.paths.bars({ size: [0.7, 24] });
      return {
        data: [
          days,
          chart.kwh.map((value, i) => (chart.final[i] ? value : null)),
          chart.kwh.map((value, i) => (chart.final[i] ? null : value)),
          chart.median,
        ],
        options: {
          scales: {
            x: { time: false, range: [-0.6, days.length - 0.4] },
            y: { range: (_, low, high) => [0, Math.max(high ?? 1, 0.1) * 1.05] },
          },
          axes: [
            axis({
              grid: { show: false },
              splits: () => days.filter((i) => (days.length - 1 - i) % 7 === 0),
              values: (_, splits) => splits.map((i) => chart.dates[i].slice(5)),
            }),
            axis({ size: 48 }),
          ],
          series: [
            {},
            { fill: () => colour('--accent'), width: 0, paths: bars, points: { show: false } },
            {
              stroke: () => colour('--accent'),
              fill: () => hatching(colour('--accent')),
              width: 1,
              paths: bars,
              points: { show: false },
            },
            { stroke: () => colour('--text'), width: 1.5, points: { show: false } },
          ],
        },
        reading: (i) =>
          `${chart.dates[i]}  ${chart.kwh[i] == null ? 'no data' : figure(chart.kwh[i], 1, 'kWh')}, median ${figure(chart.median[i], 1, 'kWh')}`,
      };
    },
    /** One point of a gateway over time. */
    point: (chart) => ({
      data: [chart.at.map((ms) => ms / 1000), chart.value],
      options: {
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), chart.zone),
        scales: { x: { time: true } },
        axes: [
          axis({ values: (_, splits) => splits.map((seconds) => timeOfPoint(seconds, chart)) }),
          axis({ size: 64 }),
        ],
        series: [{}, { stroke: () => colour('--accent'), width: 1.5, points: alone }],
      },
      reading: (i) =>
        `${new Date(chart.at[i]).toLocaleString('en-GB', { timeZone: chart.zone })}  ${figure(chart.value[i], 2, chart.unit)}`,
    }),
    /** Polls of each minute of the last hour. */
    polls: (chart) => {
      const minutes = chart.polls.map((_, i) => i - chart.polls.length);
      return {
        data: [minutes, chart.polls, chart.failed],
        options: {
          scales: {
            x: { time: false },
            y: { range: (_, low, high) => [0, Math.max(high ?? 1, 1) * 1.1] },
          },
          axes: [
            axis({
              values: (_, splits) =>
                splits.map((minute) => (minute === 0 ? 'now' : `${minute} min`)),
            }),
            axis({ size: 48 }),
          ],
          series: [
            {},
            { stroke: () => colour('--accent'), width: 2, points: { show: false } },
            { stroke: () => colour('--text'), width: 1.5, dash: [4, 3], points: { show: false } },
          ],
        },
        reading: (i) =>
          `${-minutes[i]} min ago: ${chart.polls[i]} polls, ${chart.failed[i]} failed`,
      };
    },
  };

  function drawCharts() {
    if (!window.uPlot) return;
    for (const element of document.querySelectorAll('[data-chart]')) {
      const source = element.dataset.series;
      const before = drawn.get(element);
      if (before?.source === source) continue;
      const chart = kinds[element.dataset.chart](JSON.parse(source));
      const reading = element.querySelector('.reading');
      if (before) {
        before.chart = chart;
        before.source = source;
        before.plot.setData(chart.data);
        continue;
      }
      const place = element.querySelector('.plot');
      const state = { source, chart };
      state.plot = new uPlot(
        {
          width: place.clientWidth,
          height: place.clientHeight,
          legend: { show: false },
          cursor: { y: false, drag: { x: false, y: false }, points: { show: true } },
          hooks: {
            setCursor: [
              (plot) => {
                if (reading)
                  reading.textContent =
                    plot.cursor.idx == null ? '' : state.chart.reading(plot.cursor.idx);
              },
            ],
          },
          ...chart.options,
        },
        chart.data,
        place,
      );
      drawn.set(element, state);
      new ResizeObserver(() =>
        state.plot.setSize({ width: place.clientWidth, height: place.clientHeight }),
      ).observe(place);
    }
  }

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    for (const element of document.querySelectorAll('[data-chart]'))
      drawn.get(element)?.plot.redraw(false, true);
  });

  document.addEventListener('DOMContentLoaded', () => {
    drawCharts();
    schedule();
  });
})();
