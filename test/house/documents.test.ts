import { describe, expect, test } from 'vitest';

import {
  type Names,
  namesOf,
  problemsOfComments,
  problemsOfDocument,
  readRepositoryFile,
  repositoryFiles,
} from './documents.ts';

/** Documents and comments name only what exists. */

const files = repositoryFiles();
const names = namesOf(files);

describe('the repository', () => {
  test.each(files.filter((file) => file.endsWith('.md')))('%s names only what exists', (file) => {
    expect(problemsOfDocument(file, readRepositoryFile(file), names)).toEqual([]);
  });

  test('comments of the product name only what exists', () => {
    const problems = files
      .filter(
        (file) =>
          /\.(ts|js|sql)$/.test(file) && !/^api\/public\/|^test\/|\.(test|config)\.ts$/.test(file),
      )
      .flatMap((file) =>
        problemsOfComments(file, readRepositoryFile(file), names).map((one) => `${file}: ${one}`),
      );
    expect(problems).toEqual([]);
  });
});

describe('the search', () => {
  const few: Names = {
    paths: new Set(['README.md', 'docs', 'docs/scale.md', 'db', 'db/plants', 'db/plants/polls.ts']),
    markdown: (path) =>
      path === 'docs/scale.md' ? '# Scale\n\n## What `x` costs, by size\n' : null,
    variables: new Set(['API_PORT']),
    words: new Set(['AUTH_FAILED']),
    scripts: new Set(['gen']),
    commands: new Set(['audit', 'plants list', 'plants show', 'notes routes list', 'notes list']),
  };
  const problems = (text: string) => problemsOfDocument('README.md', text, few);

  test.each([
    ['[a](docs/scale.md)'],
    ['[a](docs/scale.md#what-x-costs-by-size)'],
    ['[a](https://example.org/none.md)'],
    ['`db/plants/polls.ts`'],
    ['`db/plants/polls.ts:12`'],
    ['`db/<context>/`'],
    ['`polls.ts`'],
    ['`.data/stack.json`'],
    ['`API_PORT`, `API_PORT_FILE`, PATH, `AUTH_FAILED`'],
    ['`npm run gen`'],
    ['`heliograph plants list|show`'],
    ['`heliograph notes routes list`, `heliograph notes list all`'],
    ['```sh\nnpx heliograph audit --fix && heliograph plants show ID\n```'],
    ['the database heliograph holds the record'],
  ])('finds nothing in %j', (text) => {
    expect(problems(text)).toEqual([]);
  });

  test.each([
    ['[a](docs/none.md)', 'no file docs/none.md'],
    ['[a](docs/scale.md#none)', 'no heading docs/scale.md#none'],
    ['![a](docs/none.png)', 'no file docs/none.png'],
    ['`db/plants/none.ts`', 'no file db/plants/none.ts'],
    ['`db/plants/none.ts:12`', 'no file db/plants/none.ts:12'],
    ['`db/none/`', 'no file db/none/'],
    ['`none.md`', 'no file none.md'],
    ['as none.md says', 'no file none.md'],
    ['`TRUST_PROXY`', 'no variable or word TRUST_PROXY'],
    ['TRUST_PROXY in prose', 'no variable or word TRUST_PROXY'],
    ['`npm run none`', 'no script npm run none'],
    ['`heliograph none`', 'no command heliograph none'],
    ['`npx heliograph plants none ID`', 'no command heliograph plants none'],
    ['`heliograph plants list|none`', 'no command heliograph plants none'],
    ['`heliograph notes routes list|none`', 'no command heliograph notes routes none'],
    ['```sh\nheliograph audit && heliograph none\n```', 'no command heliograph none'],
    ['```sh\ndocker run api node cli/main.ts none\n```', 'no command heliograph none'],
  ])('finds the wrong name in %j', (text, problem) => {
    expect(problems(text)).toEqual([problem]);
  });

  test('reads comments of code, and no code', () => {
    const source =
      "/** As TRUST_PROXY says, see `db/none.ts`. */\nconst a = 'NO_WORD'; // `heliograph none`, `npm run none`\n";
    expect(problemsOfComments('db/a.ts', source, few)).toEqual([
      'no file db/none.ts',
      'no variable or word TRUST_PROXY',
      'no script npm run none',
      'no command heliograph none',
    ]);
  });
});
