import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { commands } from '../../cli/commands/index.ts';
import { environmentSchema } from '../../environment/config.ts';

/** Finds names in documents and comments that do not exist: links, files, variables, scripts and commands. */

/** What a document may name. */
export interface Names {
  /** Paths of files and folders, relative to the root, without a slash at the end. */
  paths: ReadonlySet<string>;
  /** The text of a Markdown file, whose headings links name; null when there is none. */
  markdown: (path: string) => string | null;
  variables: ReadonlySet<string>;
  /** Upper-case words that code writes in quotes, such as `AUTH_FAILED`. */
  words: ReadonlySet<string>;
  scripts: ReadonlySet<string>;
  commands: ReadonlySet<string>;
}

/** Upper-case names that other programs define. */
const foreignNames = [
  'CHROMIUM_PATH',
  'GOGC',
  'GOMAXPROCS',
  'HTTPS_PROXY',
  'LC_ALL',
  'NAME_FILE',
  'NODE_USE_ENV_PROXY',
  'SQLITE_BUSY',
  'TEMPORAL_API_KEY',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_SERVER_NAME',
  'USER_HZ',
  'XDG_CACHE_HOME',
];

/** Folders that the program or an operator makes; they are not in the repository. */
const madeLater = /^(\.data|secrets|histories|node_modules)(\/|$)/;

/** What a placeholder stands for when a path is looked up. */
const placeholders: Readonly<Record<string, string>> = {
  '<brand>': 'solis',
  '<context>': 'plants',
  '<scenario>': 'ordinary-day',
};

const fileEnding = /\.(ts|js|md|json|sql|sh|yml|yaml|service|png|go|mod|sum|toml)$/;

/**
 * Everything in a Markdown document that does not exist, as sentences; empty when all is well.
 *
 * @param path of the document, relative to the root.
 */
export function problemsOfDocument(path: string, text: string, names: Names): string[] {
  const code = codeOf(text);
  return [
    ...linksOf(text).flatMap((link) => problemOfLink(path, link, names)),
    ...[...code.spans, ...markdownIn(text)].flatMap((one) => problemOfPath(path, one, names)),
    ...problemsOfText(text, [...code.spans, ...code.lines], names),
  ];
}

/** The same for the comments of a code file. */
export function problemsOfComments(path: string, text: string, names: Names): string[] {
  const prose = commentsOf(text);
  const { spans } = codeOf(prose);
  return [
    ...[...spans, ...markdownIn(prose)].flatMap((one) => problemOfPath(path, one, names)),
    ...problemsOfText(prose, spans, names),
  ];
}

/** @param code the parts of `text` that are code: only these hold commands. */
function problemsOfText(text: string, code: readonly string[], names: Names): string[] {
  const variables = [...text.matchAll(/(?<![\w-])[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+(?!\w)/g)]
    .map(([word]) => word)
    .filter((word) => !isKnownWord(word, names))
    .map((word) => `no variable or word ${word}`);
  const scripts = [...text.matchAll(/npm run ([a-z][\w:-]*)/g)]
    .map(([, script = '']) => script)
    .filter((script) => !names.scripts.has(script))
    .map((script) => `no script npm run ${script}`);
  return [...variables, ...scripts, ...code.flatMap((one) => problemsOfCommands(one, names))];
}

function isKnownWord(word: string, { variables, words }: Names): boolean {
  return (
    variables.has(word) ||
    words.has(word) ||
    foreignNames.includes(word) ||
    (word.endsWith('_FILE') && variables.has(word.slice(0, -'_FILE'.length)))
  );
}

/** A command stands at the beginning of a line or span, or behind another command. */
function problemsOfCommands(code: string, names: Names): string[] {
  const calls = code.matchAll(
    /(?:^|\bnpx |&& |\|\| |; |\$\(|node cli\/main\.ts )\s*(?:heliograph |(?<=node cli\/main\.ts ))([a-z][a-z|-]*)(?: ([a-z][a-z|-]*))?(?: ([a-z][a-z|-]*))?/g,
  );
  return [...calls].flatMap(([, group = '', action = '', third = '']) => {
    if (names.commands.has(group)) return [];
    const longer = [...names.commands].some((name) => name.startsWith(`${group} ${action} `));
    const [before, last] = longer ? [`${group} ${action}`, third] : [group, action];
    return last
      .split('|')
      .map((one) => `${before} ${one}`.trim())
      .filter((command) => !names.commands.has(command))
      .map((command) => `no command heliograph ${command}`);
  });
}

function problemOfLink(path: string, link: string, { paths, markdown }: Names): string[] {
  if (/^[a-z]+:/.test(link)) return [];
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? path : normalize(join(dirname(path), file)).replace(/\/$/, '');
  if (!paths.has(target)) return [`no file ${link}`];
  if (anchor === undefined) return [];
  return headingsOf(markdown(target) ?? '').includes(anchor) ? [] : [`no heading ${link}`];
}

/** A span is a path when it has a slash and begins with a folder of the repository, or ends like a file. */
function problemOfPath(path: string, span: string, { paths }: Names): string[] {
  const [token = ''] = span.replace(/:\d+(-\d+)?$/, '').split(' ');
  if (token !== span.replace(/:\d+(-\d+)?$/, '') || /[{}$@…"'()=,|]|^[/~]|:\/\//.test(token))
    return [];
  const named = Object.entries(placeholders).reduce(
    (one, [from, to]) => one.replaceAll(from, to),
    token,
  );
  const isFile = fileEnding.test(named);
  const [first = ''] = named.split('/');
  if (!isFile && !(named.includes('/') && paths.has(first))) return [];
  if (madeLater.test(named)) return [];
  const pattern = new RegExp(
    `^${normalize(named).replace(/\/$/, '').replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`,
  );
  const beside = (one: string) =>
    one.startsWith(`${dirname(path)}/`) && pattern.test(one.slice(dirname(path).length + 1));
  const up = normalize(join(dirname(path), named)).replace(/\/$/, '');
  const all = [...paths];
  if (paths.has(up) || all.some((one) => pattern.test(one) || beside(one))) return [];
  const isBareName = !named.includes('/');
  if (isBareName && all.some((one) => pattern.test(one.split('/').at(-1) ?? ''))) return [];
  return [`no file ${span}`];
}

/** Names of Markdown files in prose, without backticks or a link. */
function markdownIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w`(/.<-])[\w./-]+\.md(?![\w`)#])/g)].map(([one]) => one);
}

/** Targets of links and pictures. */
function linksOf(text: string): string[] {
  return [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
}

/** GitHub's names of the headings. */
function headingsOf(text: string): string[] {
  return [...withoutFences(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** The code of a text: what stands in backticks, and the lines of fenced blocks. */
function codeOf(text: string): { spans: string[]; lines: string[] } {
  const spans = [...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  const lines = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) =>
    block.split('\n'),
  );
  return { spans, lines };
}

const comment = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$|^\s*-- .*$/gm;

function commentsOf(text: string): string {
  return [...text.matchAll(comment)].map(([one]) => one).join('\n');
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Files of the repository, those that are not committed yet included. */
export function repositoryFiles(): string[] {
  const { stdout } = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files = stdout.split('\n').filter((path) => path !== '' && existsSync(join(root, path)));
  if (files.length === 0) throw new Error(`git lists no files in ${root}`);
  return files;
}

export function readRepositoryFile(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** All names of the repository. */
export function namesOf(files: readonly string[]): Names {
  const paths = new Set(files.flatMap((file) => [file, ...foldersOf(file)]));
  const { scripts } = JSON.parse(readRepositoryFile('package.json')) as {
    scripts: Record<string, string>;
  };
  return {
    paths,
    markdown: (path) => (path.endsWith('.md') && paths.has(path) ? readRepositoryFile(path) : null),
    variables: new Set(Object.keys(environmentSchema.shape)),
    words: new Set(
      files.filter(isProductCode).flatMap((file) => quotedWords(readRepositoryFile(file))),
    ),
    scripts: new Set(Object.keys(scripts)),
    commands: new Set(commands.map(({ name }) => name)),
  };
}

function foldersOf(file: string): string[] {
  const parts = file.split('/').slice(0, -1);
  return parts.map((_, n) => parts.slice(0, n + 1).join('/'));
}

function isProductCode(file: string): boolean {
  return /\.(ts|sql|json)$/.test(file) && !/\.test\.ts$|^test\/|^fixtures\/histories\//.test(file);
}

function quotedWords(text: string): string[] {
  return [...text.replaceAll(comment, '').matchAll(/(['"])([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)\1/g)].map(
    ([, , word = '']) => word,
  );
}
