import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { envelopeVectors } from '../test/vectors/envelope-cases';
import { makeSealVectors } from '../test/vectors/seal-cases';

/** Writes the known-answer vectors: `npx tsx scripts/make-vectors.ts`. Every run makes new ciphertexts of the same texts. */
async function main(): Promise<void> {
  for (const [name, content] of Object.entries({ envelope: envelopeVectors, seals: makeSealVectors() })) {
    const path = join(__dirname, '../test/vectors', `${name}.json`);
    const options = { ...(await resolveConfig(path)), filepath: path };
    writeFileSync(path, await format(JSON.stringify(content, null, 2), options));
  }
}

void main();
