import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { openApiDocument } from '../openapi/document';

/** Beside `lib`, in a build as in the sources. */
const FOLDER = path.join(__dirname, '../../public/docs');

/** Nothing but its own files, and requests to where it came from; a trial posts with the browser's hands. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HARMLESS = {
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const FILES = [
  ['/docs', 'index.html', 'text/html; charset=utf-8'],
  ['/docs/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/docs/page.css', 'page.css', 'text/css; charset=utf-8'],
] as const;

/** How an agent describes its interface, as aliases of the route `/v1`: `/openapi.json`, and the page where it is wanted. */
export function descriptionAliases(config: { metricsPort?: number; apiDocs: boolean }): Record<string, unknown> {
  const text = JSON.stringify(openApiDocument(config));
  const serve = (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(text);
  };
  return { 'GET /openapi.json': serve, ...(config.apiDocs && docsPageAliases()) };
}

/** The page that shows `/v1/openapi.json` and tries it, as aliases of the route `/v1`; its files are read at once. */
function docsPageAliases(): Record<string, unknown> {
  const aliases = FILES.map(([at, file, type]) => {
    const body = readFileSync(path.join(FOLDER, file));
    const headers = { 'content-type': type, 'content-security-policy': POLICY, ...HARMLESS };
    const serve = (_request: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(200, headers).end(body);
    return [`GET ${at}`, serve];
  });
  return Object.fromEntries(aliases) as Record<string, unknown>;
}
