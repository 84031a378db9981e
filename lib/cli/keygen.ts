import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { uuid } from '../config/rules';
import { importPublicKey } from '../crypto/keys';
import { fingerprintOf, KEY_BITS, makeKeyPair, type KeyPair } from '../crypto/key-pair';
import { defineCommand, UsageError } from './command';
import { EXIT } from './exit-codes';
import { writePrivateFile } from './private-file';

const DEFAULT_BITS = '2048';
const DEFAULT_FILE = 'agent-private-key.pem';
const NO_ID = '<the id of this agent at CentOps, a UUID>';

/** A new pair, and where its private half is. */
interface Made extends KeyPair {
  /** `-` for standard output. */
  file: string;
  bits: number;
  agentId: string | undefined;
}

/** `dmr keygen`: makes the keys of an agent. */
export const keygen = defineCommand({
  name: 'keygen',
  summary: 'Makes the key pair of an agent',
  details: `
The private key goes into a new file that its owner alone can read (mode 0600); a file that exists is
never overwritten. What is printed holds no secret: the public key for CentOps, and the lines for the
agent's environment.

Exit codes: 0 made, 64 wrong usage, 73 the file exists or cannot be written.`,
  options: {
    out: {
      type: 'string',
      value: 'FILE',
      doc: `Where the private key goes, ${DEFAULT_FILE} by default; - is standard output`,
    },
    bits: {
      type: 'string',
      value: 'BITS',
      doc: `${KEY_BITS.join(', ')}; ${DEFAULT_BITS} by default: a longer key costs every message more`,
    },
    id: { type: 'string', value: 'UUID', doc: 'The id that CentOps has for this agent' },
    'new-id': { type: 'boolean', doc: 'Makes an id as well, for an agent that CentOps does not have yet' },
    json: { type: 'boolean', doc: 'Prints one JSON object in place of text' },
  },
  async run({ out: file = DEFAULT_FILE, bits: length = DEFAULT_BITS, id, 'new-id': newId, json }, io) {
    const bits = bitsOf(length);
    const agentId = newId ? newIdUnless(id) : idOf(id);
    const made: Made = { ...makeKeyPair(bits), file, bits, agentId };
    if (file === '-') io.out(made.privateKeyPem);
    else await writePrivateFile(file, made.privateKeyPem);
    // Standard output is the key's own where it was asked for there.
    const print = file === '-' ? io.err.bind(io) : io.out.bind(io);
    print(json ? jsonOf(made) : textOf(made));
    return EXIT.ok;
  },
});

function bitsOf(text: string): number {
  const bits = KEY_BITS.find((allowed) => String(allowed) === text);
  if (bits === undefined) throw new UsageError(`--bits wants one of ${KEY_BITS.join(', ')}`);
  return bits;
}

function idOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const id = uuid().parse(text);
  if (id === undefined) throw new UsageError('--id wants a UUID');
  return id;
}

function newIdUnless(id: string | undefined): string {
  if (id !== undefined) throw new UsageError('--id and --new-id exclude each other');
  return randomUUID();
}

function jsonOf({ file, bits, agentId, publicKeyPem }: Made): string {
  const fingerprint = fingerprintOf(importPublicKey(publicKeyPem));
  return `${JSON.stringify({ privateKeyFile: file, bits, agentId, publicKey: publicKeyPem, fingerprint })}\n`;
}

function textOf({ file, bits, agentId, publicKeyPem }: Made): string {
  const id = agentId ?? NO_ID;
  const where =
    file === '-' ? 'It was printed and is kept nowhere.' : `It is in ${file}, which its owner alone can read.`;
  return `A private RSA key of ${bits} bits has been made. ${where}
Whoever has it can read and send messages as this agent: show it to nobody, and keep a copy in a safe.

1. Give CentOps the agent's id and public key (authenticationCertificate):

id: ${id}
${publicKeyPem}fingerprint: ${fingerprintOf(importPublicKey(publicKeyPem))}

2. Put the id and the path of the key into the agent's environment file:

${envLines(file, id)}

3. Once CentOps has taken the key: dmr keys check --envfile .env
`;
}

/** Shell lines that name the key's file and do not copy the key. */
function envLines(file: string, id: string): string {
  const idLine = `AGENT_ID=${id}`;
  if (file === '-')
    return `${appending(idLine)}\n# and AGENT_PRIVATE_KEY_FILE= with the absolute path of the file that you keep it in`;
  return appending(idLine, `AGENT_PRIVATE_KEY_FILE=${envValue(path.resolve(file))}`);
}

function appending(...lines: string[]): string {
  const quoted = lines.map((line) => `'${line.replaceAll("'", `'\\''`)}'`);
  return `printf '%s\\n' ${quoted.join(' ')} >> .env`;
}

/** As it is where every reader of such files takes it so; in quotes where a # or a space would end it. */
function envValue(value: string): string {
  if (!/[#\s]/.test(value)) return value;
  const quote = ["'", '"', '`'].find((mark) => !value.includes(mark)) ?? '';
  return `${quote}${value}${quote}`;
}
