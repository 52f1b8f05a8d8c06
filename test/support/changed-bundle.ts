import { mkdtempSync } from 'node:fs';
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { bundleWorkflowCode, DefaultLogger, type WorkflowBundle } from '@temporalio/worker';
import { expect } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A copy of the workflows, below `scratch`, with one text replaced; fails when the text is not there. */
export async function changedBundle(
  scratch: string,
  { file, from, to }: { file: string; from: string; to: string },
): Promise<WorkflowBundle> {
  const copy = mkdtempSync(join(scratch, 'changed-'));
  for (const part of ['workflows', 'domain', 'activities', 'package.json', 'tsconfig.json'])
    await cp(join(root, part), join(copy, part), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  const path = join(copy, file);
  const text = await readFile(path, 'utf8');
  expect(text).toContain(from);
  await writeFile(path, text.replace(from, to));
  return bundleWorkflowCode({
    workflowsPath: join(copy, 'workflows/index.ts'),
    logger: new DefaultLogger('ERROR'),
  });
}
