import { html } from 'hono/html';

import { decimal, type Html, missing } from '../../pages/components.ts';

const width = 120;
const height = 20;

/** A small line of values, oldest first; null is a gap. Without a value: a dash with the reason. */
export function sparkline(values: readonly (number | null)[], name: string): Html {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return missing('Not enough values in the last 24 h');
  const min = Math.min(...known);
  const max = Math.max(...known);
  const x = (index: number) => ((index / (values.length - 1)) * width).toFixed(1);
  const y = (value: number) =>
    (max === min ? height / 2 : height - 1 - ((value - min) / (max - min)) * (height - 2)).toFixed(
      1,
    );
  let d = '';
  let isDrawing = false;
  for (const [index, value] of values.entries()) {
    if (value !== null) d += `${isDrawing ? 'L' : 'M'}${x(index)} ${y(value)}`;
    isDrawing = value !== null;
  }
  const label = `${name}, last 24 h: from ${decimal(min, 2)} to ${decimal(max, 2)}`;
  return html`<svg
    class="sparkline"
    viewBox="0 0 ${width} ${height}"
    width="${width}"
    height="${height}"
    role="img"
    aria-label="${label}"
  >
    <path d="${d}" />
  </svg>`;
}
