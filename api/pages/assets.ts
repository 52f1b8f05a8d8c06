import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { Hono } from 'hono';

import type { AssetUrls } from './layout.ts';

/**
 * The pages' files and two libraries from node_modules, read once at the start. Their names contain a hash of their content:
 * browsers may cache them for ever, and a new version has a new name.
 */
const require = createRequire(import.meta.url);

interface Asset {
  name: string;
  type: string;
  body: Buffer<ArrayBuffer>;
  etag: string;
  url: string;
}

function load(name: string, type: string, path: string | URL): Asset {
  const body = readFileSync(path);
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 16);
  const dot = name.lastIndexOf('.');
  const url = `/assets/${name.slice(0, dot)}.${hash}${name.slice(dot)}`;
  return { name, type, body, etag: `"${hash}"`, url };
}

const own = (name: string): URL => new URL(`../public/${name}`, import.meta.url);
const css = 'text/css; charset=utf-8';
const js = 'text/javascript; charset=utf-8';

/** The URLs for the layout, and the routes that serve them. @throws if a file is missing, so that the API does not start. */
export function createAssets(): { urls: AssetUrls; routes: Hono } {
  const assets = {
    css: load('app.css', css, own('app.css')),
    js: load('app.js', js, own('app.js')),
    icon: load('icon.svg', 'image/svg+xml', own('icon.svg')),
    htmx: load('htmx.js', js, require.resolve('htmx.org/dist/htmx.min.js')),
    uplot: load('uplot.js', js, require.resolve('uplot/dist/uPlot.iife.min.js')),
    uplotCss: load('uplot.css', css, require.resolve('uplot/dist/uPlot.min.css')),
  };
  const routes = new Hono();
  for (const asset of Object.values(assets)) {
    routes.get(asset.url, (c) => {
      c.header('Cache-Control', 'public, max-age=31536000, immutable');
      c.header('ETag', asset.etag);
      c.header('X-Content-Type-Options', 'nosniff');
      if (c.req.header('If-None-Match') === asset.etag) return c.body(null, 304);
      return c.body(asset.body, 200, { 'Content-Type': asset.type });
    });
  }
  const urls = Object.fromEntries(
    Object.entries(assets).map(([key, asset]) => [key, asset.url]),
  ) as Record<keyof typeof assets, string>;
  return { urls, routes };
}
