import { visibleText } from './render.ts';

/** Tables for people: aligned, as wide as the terminal, with nothing cut off. */

/** A title. The cells of a `right` column end at one line, as numbers do. */
export type Column = string | { right: string };

/** Right-aligned columns with these titles. */
export function right(...titles: string[]): Column[] {
  return titles.map((title) => ({ right: title }));
}

/** A cell and its painter, which runs after the alignment. */
export type Cell = string | { text: string; paint: (text: string) => string };

const gap = '  ';
/** Minimum width of the wrapped last column. */
const lastWidthMin = 30;

const segmenter = new Intl.Segmenter();
/** Scripts and pictures that terminals show two columns wide. */
const wideCharacter =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60\uffe0-\uffe6]/u;

/** Number of terminal columns that a text takes. */
export function textWidth(text: string): number {
  // A fast path, because most texts are ASCII and splitting into graphemes is slow.
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += wideCharacter.test(segment) ? 2 : 1;
  return width;
}

/**
 * The table as lines. The last column wraps so that lines fit into `widthMax` if possible; the others are as wide as their
 * content.
 */
export function tableText(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  widthMax: number,
): string {
  const last = columns.length - 1;
  const widths = columns
    .slice(0, last)
    .map((column, index) =>
      rows.reduce(
        (width, row) => Math.max(width, textWidth(plainText(row[index]))),
        textWidth(titleOf(column)),
      ),
    );
  const taken = widths.reduce((sum, width) => sum + width + gap.length, 0);
  const lastWidth = Math.max(lastWidthMin, widthMax - taken);
  const lines: string[] = [];
  const addRow = (row: readonly Cell[]) => {
    const [first = '', ...more] = wrap(plainText(row[last]), lastWidth);
    const cells = widths.map((width, index) =>
      padded(row[index], width, typeof columns[index] === 'object'),
    );
    lines.push([...cells, painted(row[last], first)].join(gap).trimEnd());
    for (const line of more) lines.push(`${' '.repeat(taken)}${painted(row[last], line)}`);
  };
  addRow(columns.map(titleOf));
  for (const row of rows) addRow(row);
  return `${lines.join('\n')}\n`;
}

export type Fact = readonly [name: string, value: string | null];

/** Names and their values, one a line. A fact whose value is null is left out. */
export function factsText(facts: readonly Fact[]): string {
  const known = facts.filter(([, value]) => value !== null);
  const width = Math.max(...known.map(([name]) => textWidth(name)));
  return known
    .map(([name, value]) => `${padded(name, width, false)}${gap}${visibleText(value ?? '')}\n`)
    .join('');
}

/** A title with its indented body. */
export function section(title: string, body: string): string {
  return `${title}\n${indented(body)}`;
}

/** Indents every line by two columns. */
export function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, gap);
}

function titleOf(column: Column): string {
  return typeof column === 'object' ? column.right : column;
}

function plainText(cell: Cell | undefined): string {
  return visibleText(typeof cell === 'object' ? cell.text : (cell ?? ''));
}

function painted(cell: Cell | undefined, text: string): string {
  return typeof cell === 'object' ? cell.paint(text) : text;
}

function padded(cell: Cell | undefined, width: number, isRight: boolean): string {
  const text = plainText(cell);
  const room = ' '.repeat(Math.max(0, width - textWidth(text)));
  return isRight ? room + painted(cell, text) : painted(cell, text) + room;
}

/** Breaks at spaces; a word longer than the line stays whole, so that ids and links can be copied. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && textWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}
