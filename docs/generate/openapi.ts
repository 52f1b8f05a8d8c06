import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { createApp } from '../../api/app.ts';
import { openApiDocument } from '../../api/openapi.ts';
import { openDatabase } from '../../db/database.ts';
import { outerWorld } from '../../cli/api.ts';
import { loadConfig } from '../../environment/config.ts';
import { createLog } from '../../environment/log.ts';

/** Writes docs/openapi.json from the routes: `npm run gen`. A test fails when the two differ. */

const documentPath = fileURLToPath(new URL('../openapi.json', import.meta.url));
/** An address without a server: the routes are only listed, no service is called. */
const nowhere = '127.0.0.1:9';

/** The document, from the routes. */
export async function generateOpenApi(): Promise<string> {
  const db = openDatabase({ url: `postgresql://nobody@${nowhere}/none` });
  const world = outerWorld(loadConfig({ TEMPORAL_ADDRESS: nowhere }));
  try {
    const deps = {
      ...world,
      db,
      readDb: db,
      log: createLog('error', process.stderr),
      jwtKey: randomBytes(32).toString('base64'),
    };
    return `${JSON.stringify(openApiDocument(createApp(deps), world.version), null, 2)}\n`;
  } finally {
    await Promise.all([db.destroy(), world.temporal.connection.close()]);
  }
}

export function readOpenApi(): string {
  return readFileSync(documentPath, 'utf8');
}

if (import.meta.main) writeFileSync(documentPath, await generateOpenApi());
