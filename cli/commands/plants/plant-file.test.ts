import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { fileBytesMax, readPlantFile, recordsMax } from './plant-file.ts';

const header = 'id,name,brand,account,vendor_plant_id,timezone';
const row = (id: string) => `${id},Canal House,SOLIS,solis-main,v-${id},Europe/Amsterdam`;
const read = (text: string) => readPlantFile(new TextEncoder().encode(text));
const problems = (text: string) =>
  read(text).problems.map(({ line, field, problem }) => `${line} ${field ?? '-'} ${problem}`);

describe('a file of plants', () => {
  test('is read with commas, and its lines are counted from the header', () => {
    const { drafts } = read(`${header}\n${row('a')}\n${row('b')}\n`);
    expect(drafts.map(({ line, draft }) => [line, draft.id])).toEqual([
      [2, 'a'],
      [3, 'b'],
    ]);
  });

  test('may have a byte order mark, CRLF, empty lines and rows of empty cells', () => {
    const { drafts, problems: none } = read(
      `\ufeff${header}\r\n\r\n${row('a')}\r\n,,,,,\r\n${row('b')}`,
    );
    expect(none).toEqual([]);
    expect(drafts.map(({ line, draft }) => [line, draft.id])).toEqual([
      [3, 'a'],
      [5, 'b'],
    ]);
  });

  test('may have semicolons, and then decimal commas', () => {
    const text = `${header.replaceAll(',', ';')};latitude;capacity_kw\n${row('a').replaceAll(',', ';')};-52,37;12.5\n`;
    expect(read(text).drafts[0]?.draft).toMatchObject({ latitude: -52.37, capacity_kw: 12.5 });
  });

  test('takes no decimal comma where commas part the values', () => {
    expect(problems(`${header},latitude\n${row('a')},"52,37"\n`)).toEqual([
      '2 latitude must be degrees from -90 to 90, not 52,37',
    ]);
  });

  test('may have tabs, and columns in any order and case', () => {
    const text = 'Timezone\tID\tName\tBrand\tAccount\tVendor_Plant_Id\nUTC\ta\tA\tdele\tmain\t7\n';
    expect(read(text).drafts[0]?.draft).toMatchObject({ id: 'a', brand: 'DELE', timezone: 'UTC' });
  });

  test('tells what is wrong in every line, and reads the others', () => {
    const text = [
      header,
      row('a'),
      row('b').replace('SOLIS', 'ACME').replace('Europe/Amsterdam', 'Mars/Base'),
      row('c'),
      'd,too few',
    ].join('\n');
    expect(problems(text)).toEqual([
      '3 brand must be SOLIS, HUAWEI, GOODWE or DELE, not ACME',
      '3 timezone must be the name of a zone, such as Europe/Amsterdam, not Mars/Base',
      '5 - has 2 values, and the header names 6',
    ]);
    expect(read(text).drafts.map(({ draft }) => draft.id)).toEqual(['a', 'c']);
  });

  test('names the line where a record begins that holds line breaks', () => {
    const text = `${header}\n${row('a').replace('Canal House', '"Canal\r\nHouse"')}\n${row('b').replace('SOLIS', 'x')}\n`;
    expect(problems(text).map((problem) => problem.slice(0, 8))).toEqual(['2 name m', '4 brand ']);
  });

  test('names unknown, doubled and missing columns', () => {
    expect(problems('id,Colour,id,name,brand,account\n')).toEqual([
      expect.stringMatching(/^1 - there is no column Colour; columns are id, name/),
      '1 - the column id is there twice',
      '1 - columns are missing: vendor_plant_id, timezone',
    ]);
  });

  test('makes nothing of a header that names parts of objects', () => {
    const { drafts, problems: told } = read(`${header},__proto__,constructor\n${row('a')},x,y\n`);
    expect(drafts).toEqual([]);
    expect(told).toHaveLength(2);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  test('says what is wrong with a file that is no CSV of plants', () => {
    expect(problems('')).toEqual(['1 - the file is empty']);
    expect(problems(`${header}\n`)).toEqual(['1 - there is no plant below the header']);
    expect(problems(`${header}\n"a,b\n`)).toEqual(['2 - a quote is opened and never closed']);
    expect(problems(`${header}\n"a"b,c\n`)[0]).toContain('text follows a closing quote');
    expect(problems(`${header}\n"${'x'.repeat(20_000)}\n`)[0]).toContain(
      'or a quote is never closed',
    );
    expect(readPlantFile(new Uint8Array([0x69, 0x64, 0xe9])).problems[0]?.problem).toContain(
      'not UTF-8',
    );
  });

  test(`takes ${recordsMax} plants, and not one more`, () => {
    const lines = Array.from({ length: recordsMax }, (_, index) => row(`p${index}`));
    expect(read([header, ...lines].join('\n')).drafts).toHaveLength(recordsMax);
    expect(problems([header, ...lines, row('last')].join('\n'))).toEqual([
      `1 - the file has more than ${recordsMax} plants: split it`,
    ]);
  });

  test('is refused unread where it is too large', () => {
    expect(readPlantFile(new Uint8Array(fileBytesMax + 1)).problems[0]?.problem).toBe(
      'the file is larger than 10 MB',
    );
  });

  test('gives every name back that is quoted as CSV quotes', () => {
    const name = fc
      .string({ unit: 'grapheme', maxLength: 60 })
      .filter(
        (text) => text.trim() === text && /[^\p{Z}\p{Cc}]/u.test(text) && !/\p{Cc}/u.test(text),
      );
    fc.assert(
      fc.property(name, (text) => {
        const quoted = row('a').replace('Canal House', () => `"${text.replaceAll('"', '""')}"`);
        expect(read(`${header}\n${quoted}\n`).drafts[0]?.draft.name).toBe(text);
      }),
    );
  });
});
