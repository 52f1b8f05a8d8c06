import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';

/**
 * The workflows as one file, which every worker runs. Compiling takes two seconds and leaves 200 MB behind in the process
 * that does it: it is done once for a state of the sources, by a process of its own, and kept beside the dependencies.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
const cacheDir = join(root, 'node_modules/.cache/heliograph');
/** Everything that may be in the bundle; `package-lock.json` stands for the SDK. */
const sources = ['workflows', 'domain', 'activities/plants/contract.ts', 'package-lock.json'];
/** Bundles of old states stay until their folder is emptied; a machine that compiles takes no longer than this. */
const compileMsMax = 120_000;

/** The bundle of the sources as they are; compiled where nobody has yet. */
export async function bundleWorkflows(): Promise<WorkflowBundle> {
  const file = join(cacheDir, `workflows-${stateOfSources()}.js`);
  if (existsSync(file)) return { code: readFileSync(file, 'utf8') };
  // An installation that cannot be written to: every process compiles for itself.
  if (!isWritable(cacheDir)) return compile();
  await promisify(execFile)(process.execPath, [import.meta.filename, file], {
    timeout: compileMsMax,
  });
  return { code: readFileSync(file, 'utf8') };
}

async function compile(): Promise<WorkflowBundle> {
  const workflowsPath = join(root, 'workflows/index.ts');
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
}

function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}

/** A digest of the sources and of what compiles them. */
function stateOfSources(): string {
  const hash = createHash('sha256').update(process.version);
  for (const source of sources) {
    const path = join(root, source);
    const files = source.includes('.')
      ? [path]
      : readdirSync(path, { recursive: true, encoding: 'utf8' })
          .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
          .toSorted()
          .map((name) => join(path, name));
    for (const file of files) hash.update(file.slice(root.length)).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}

// Run by `bundleWorkflows`, and by an image that is built: `node worker/bundle.ts` compiles for the place where it is looked for.
if (import.meta.main) {
  const file = process.argv[2] ?? join(cacheDir, `workflows-${stateOfSources()}.js`);
  const { code } = await compile();
  mkdirSync(dirname(file), { recursive: true });
  // Complete or not there: another process may look at the same time.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, code);
  renameSync(draft, file);
}
