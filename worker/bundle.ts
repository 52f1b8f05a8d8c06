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
 * Compiles the workflows into one file that every worker runs. Compiling takes two seconds and leaves 200 MB in the process
 * that does it. So a separate process does it once for each state of the sources and keeps the file beside the dependencies.
 */

const root = fileURLToPath(new URL('../', import.meta.url));
const cacheDir = join(root, 'node_modules/.cache/heliograph');
/** Everything that may be in the bundle; `package-lock.json` represents the SDK. */
const sources = ['workflows', 'domain', 'activities/plants/contract.ts', 'package-lock.json'];
/** Time limit of compiling, ms; another process may be compiling meanwhile. */
const compileMsMax = 120_000;

/** The bundle of the current sources; compiles it if no process has. */
export async function bundleWorkflows(): Promise<WorkflowBundle> {
  const file = join(cacheDir, `workflows-${stateOfSources()}.js`);
  if (existsSync(file)) return { code: readFileSync(file, 'utf8') };
  // The installation is read-only: every process compiles for itself.
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

/** A digest of the sources and of the compiler. */
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

// `bundleWorkflows` and the build of an image run `node worker/bundle.ts`, which compiles to the place where workers look.
if (import.meta.main) {
  const file = process.argv[2] ?? join(cacheDir, `workflows-${stateOfSources()}.js`);
  const { code } = await compile();
  mkdirSync(dirname(file), { recursive: true });
  // Renamed when complete, because another process may look at the same time.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, code);
  renameSync(draft, file);
}
