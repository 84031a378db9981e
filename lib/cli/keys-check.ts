import { statSync } from 'node:fs';
import { ConfigError, loadKeyCheckConfig } from '../config';
import type { KeyCheckConfig } from '../config/types';
import { importPrivateKey } from '../crypto/keys';
import { fingerprintOf, publicPemOf } from '../crypto/key-pair';
import { messageOf } from '../errors';
import { CommandError, defineCommand, UsageError, type Io, type OptionValues } from './command';
import { EXIT } from './exit-codes';
import { listFromCentOps, listFromFile, listFromServer, type Listed } from './listed-keys';
import { verdictOf, type Verdict } from './verdict';

const OPTIONS = {
  key: {
    type: 'string',
    value: 'FILE',
    doc: 'The private key, in place of AGENT_PRIVATE_KEY and AGENT_PRIVATE_KEY_FILE',
  },
  id: { type: 'string', value: 'UUID', doc: 'The agent, in place of AGENT_ID' },
  envfile: { type: 'string', value: 'FILE', doc: "Reads variables from a file, such as the agent's .env" },
  list: {
    type: 'string',
    value: 'FILE',
    doc: 'Takes the list from a JSON file: an answer of CentOps, or the list itself',
  },
  centops: { type: 'boolean', doc: 'Takes the list from CENTOPS_CONFIGURATION_URL, with its API key and secret' },
  server: { type: 'boolean', doc: 'Takes the list from a server at DMR_SERVER_WEBSOCKET_URL, by a login as the agent' },
  json: { type: 'boolean', doc: 'Prints one JSON object in place of text' },
} as const;

type Source = 'file' | 'centops' | 'server';
type Given = OptionValues<typeof OPTIONS>;

/** `dmr keys check`: whether an agent's private key is the one whose public half is listed for it. */
export const keysCheck = defineCommand({
  name: 'keys check',
  summary: "Checks whether an agent's private key fits the public key that is listed for it",
  details: `
The list comes from one place: a file, CentOps or a server. Without a choice it is CentOps where
CENTOPS_CONFIGURATION_URL is set, else the server. Most organisations have no access to CentOps; the
server is asked by a login with the agent's own key. An agent that runs under the same id loses its
connection by that, comes back by itself within seconds, and loses no message.

No private key is ever printed.

Exit codes: 0 fits, 1 does not fit (or a deployed server refused the login and did not say why),
2 the agent is not listed, 3 it is listed without a usable key, 64 wrong usage, 65 the private key is
malformed or too short, 66 a file cannot be read, 69 the list cannot be had, 78 a variable is missing
or wrong.`,
  options: OPTIONS,
  async run(given, io) {
    const config = configOf(given, io);
    const source = sourceOf(given, config);
    warnOfReaders(given.key, io);
    const key = importPrivateKey(config.privateKeyPem);
    const listed = await listedBy(source, given, config);
    const verdict = verdictOf(config.agentId, key, listed);
    const own = { fingerprint: fingerprintOf(key), publicKey: publicPemOf(key) };
    const report = { ...verdict, agentId: config.agentId, source, ...own };
    io.out(given.json ? `${JSON.stringify(report)}\n` : textOf(verdict, own));
    return verdict.exitCode;
  },
});

function configOf({ key: keyFile, id: agentId, envfile: envFile }: Given, io: Io): KeyCheckConfig {
  try {
    return loadKeyCheckConfig({ keyFile, agentId, envFile }, io.env);
  } catch (error) {
    if (error instanceof ConfigError && isOfTheKeyItself(error)) {
      const what = keyFile ?? error.variable;
      const advice = `${what} holds no key that an agent can use; dmr keygen makes one`;
      throw new CommandError(EXIT.unusableInput, 'KEY_INVALID', `${advice}. ${error.message}`);
    }
    if (error instanceof ConfigError && error.variable === 'AGENT_ID' && agentId !== undefined) {
      throw new UsageError('--id wants a UUID');
    }
    if (error instanceof ConfigError) throw error;
    throw new CommandError(EXIT.noInput, 'FILE_UNREADABLE', `a file cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** There is a key, and it is none that fits: neither a missing variable nor a file that cannot be read. */
function isOfTheKeyItself({ variable, message }: ConfigError): boolean {
  if (variable === 'AGENT_PRIVATE_KEY_FILE') return message.includes('wants a file that holds');
  return variable === 'AGENT_PRIVATE_KEY' && !message.endsWith('nothing');
}

function sourceOf({ list, centops, server }: Given, config: KeyCheckConfig): Source {
  const chosen = [list !== undefined && 'file', centops && 'centops', server && 'server'].filter((source) => !!source);
  if (chosen.length > 1) throw new UsageError('--list, --centops and --server exclude each other');
  const source = (chosen[0] || (config.centOps ? 'centops' : config.uplink && 'server')) as Source | undefined;
  if (source === undefined) {
    throw new UsageError(
      'where is the list? Set DMR_SERVER_WEBSOCKET_URL or CENTOPS_CONFIGURATION_URL, or give --list',
    );
  }
  if (source === 'centops' && !config.centOps)
    throw new UsageError('--centops wants CENTOPS_CONFIGURATION_URL to be set');
  if (source === 'server' && !config.uplink) throw new UsageError('--server wants DMR_SERVER_WEBSOCKET_URL to be set');
  return source;
}

async function listedBy(source: Source, { list }: Given, config: KeyCheckConfig): Promise<Listed> {
  if (source === 'centops' && config.centOps) return listFromCentOps(config.centOps);
  if (source === 'server') return listFromServer(config);
  return listFromFile(list ?? '');
}

function warnOfReaders(keyFile: string | undefined, io: Io): void {
  if (keyFile === undefined) return;
  const mode = statSync(keyFile).mode & 0o777;
  // A group may read it: that is how containers are given secrets.
  if ((mode & 0o037) === 0) return;
  io.err(`dmr: ${keyFile} can be read or written by too many (mode ${mode.toString(8)}): chmod 600 it\n`);
}

function textOf({ message, listedFingerprint }: Verdict, own: { fingerprint: string; publicKey: string }): string {
  const lines = [message, '', `fingerprint of the agent's key:  ${own.fingerprint}`];
  if (listedFingerprint !== undefined) lines.push(`fingerprint of the listed key:   ${listedFingerprint}`);
  return `${lines.join('\n')}\n\n${own.publicKey}`;
}
