import { Hono } from 'hono';

import type { ApiDeps } from '../deps.ts';
import type { ApiEnv } from '../env.ts';
import { ownPath, viewerOf } from './answer.ts';
import { keepReaderZone } from './reader-zone.ts';

/** Serves the form with which the reader of any page chooses whose clock times follow. */
export function zoneRoutes({ publicUrl }: Pick<ApiDeps, 'publicUrl'>): Hono<ApiEnv> {
  return new Hono<ApiEnv>().post('/zone', async (c) => {
    await viewerOf(c);
    const fields = await c.req.parseBody();
    keepReaderZone(c, fields, { secure: publicUrl?.startsWith('https://') === true });
    return c.redirect(ownPath(fields['back'], '/'), 303);
  });
}
