#!/usr/bin/env node
// The command for people. The sources are TypeScript that Node 24 runs as it stands; where the host's Node is older, the one
// that npm brought is used.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const major = Number(process.versions.node.split('.')[0]);
const mainPath = fileURLToPath(new URL('./main.ts', import.meta.url));

if (major === 24) {
  const { main } = await import(mainPath);
  await main();
} else {
  const brought = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (!existsSync(brought)) {
    console.error(`heliograph needs Node 24 and this is ${process.version}: run \`npm install\` in its folder, or install Node 24.`);
    process.exit(78);
  }
  const child = spawnSync(brought, [mainPath, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exit(child.status ?? 1);
}
