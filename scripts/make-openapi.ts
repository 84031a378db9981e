import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openApiDocument } from '../lib/openapi/document';

/** Where the copy for readers is, from the root of the project. */
export const OPENAPI_COPY = 'docs/openapi.json';

/** The copy's text; prettier leaves the file alone. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;

if (require.main === module) writeFileSync(resolve(__dirname, '..', OPENAPI_COPY), openApiText());
