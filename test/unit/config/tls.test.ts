import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  loadAgentConfig,
  loadCentOpsStandInConfig,
  loadChatbotStandInConfig,
  loadMeshConfig,
  loadServerConfig,
} from '../../../lib/config';
import { makeCertificateFiles } from '../../helpers/certificates';
import { temporaryFolder } from '../../helpers/temporary-folder';
import { agentEnv, centOpsEnv, chatbotEnv, rsaPair, serverEnv, type Env } from './environments';

const { privateKey, publicKey } = rsaPair();
const ROLES: [string, (changes: Env) => unknown][] = [
  ['server', (changes) => loadServerConfig(serverEnv(changes))],
  ['mesh', (changes) => loadMeshConfig(serverEnv(changes))],
  ['agent', (changes) => loadAgentConfig(agentEnv(privateKey, changes))],
  ['stand-in of CentOps', (changes) => loadCentOpsStandInConfig(centOpsEnv(publicKey, changes))],
  ['stand-in of a chatbot', (changes) => loadChatbotStandInConfig(chatbotEnv(changes))],
];

describe.each(ROLES)('the %s', (_role, load) => {
  it('never runs in production with the verification of certificates off', () => {
    expect(() => load({ ENVIRONMENT: 'production', NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toThrow(
      /^NODE_TLS_REJECT_UNAUTHORIZED: wants to be absent or 1 where ENVIRONMENT is production: .*, got "0"$/,
    );
    expect(() => load({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).not.toThrow();
  });

  it('names the file of CAs that Node.js would silently go without', () => {
    expect(() => load({ NODE_EXTRA_CA_CERTS: '/nowhere/ca.pem' })).toThrow(
      'NODE_EXTRA_CA_CERTS: wants a file that can be read, got "/nowhere/ca.pem"',
    );
    expect(() => load({ NODE_EXTRA_CA_CERTS: __filename })).not.toThrow();
  });
});

describe('the certificate of a client', () => {
  const { client, server } = makeCertificateFiles(temporaryFolder());
  const { certFile, keyFile } = client;
  const load = (changes: Env) => () => loadServerConfig(serverEnv({ RABBITMQ_DEFAULT_TLS: 'true', ...changes }));
  const CERT = 'RABBITMQ_DEFAULT_TLS_CERT_FILE';
  const KEY = 'RABBITMQ_DEFAULT_TLS_KEY_FILE';

  it('is read together with its key', () => {
    const { amqp } = load({ [CERT]: certFile, [KEY]: keyFile })();
    expect(amqp.tls).toEqual({
      cert: expect.stringContaining('BEGIN CERTIFICATE') as string,
      key: expect.stringContaining('PRIVATE KEY') as string,
    });
  });

  it('is there with its key, and the key with it', () => {
    expect(load({ [CERT]: certFile })).toThrow(`${KEY}: wants the private key of ${CERT}, and both or neither`);
    expect(load({ [KEY]: keyFile })).toThrow(`${CERT}: wants the certificate of ${KEY}, and both or neither`);
    expect(load({ [CERT]: certFile, [KEY]: server.keyFile })).toThrow(`${KEY}: wants the private key of ${CERT}`);
  });

  it('asks for TLS', () => {
    expect(load({ [CERT]: certFile, [KEY]: keyFile, RABBITMQ_DEFAULT_TLS: 'false' })).toThrow(
      'RABBITMQ_DEFAULT_TLS: wants true',
    );
  });

  it('is in a file that can be read and holds one', () => {
    const empty = path.join(temporaryFolder(), 'empty.pem');
    writeFileSync(empty, '');
    for (const file of ['/nowhere/client.pem', '/', empty, keyFile]) {
      expect(load({ [CERT]: file, [KEY]: keyFile })).toThrow(`${CERT}: wants a file that can be read and holds a`);
    }
    for (const file of ['/nowhere/key.pem', certFile]) {
      expect(load({ [CERT]: certFile, [KEY]: file })).toThrow(`${KEY}: wants a file that can be read and holds a`);
    }
  });
});

describe('the certificate of a client of the collector', () => {
  const { client, server } = makeCertificateFiles(temporaryFolder());
  const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.test' };
  const CERT = 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE';
  const KEY = 'OTEL_EXPORTER_OTLP_CLIENT_KEY';
  const load = (changes: Env) => () => loadServerConfig(serverEnv({ ...ENDPOINT, ...changes }));

  it('is read with its key, beside the authority of the collector', () => {
    const { tracing } = load({
      [CERT]: client.certFile,
      [KEY]: client.keyFile,
      OTEL_EXPORTER_OTLP_CERTIFICATE: server.certFile,
    })();
    expect(tracing?.tls).toEqual({
      ca: readFileSync(server.certFile, 'utf8'),
      cert: readFileSync(client.certFile, 'utf8'),
      key: readFileSync(client.keyFile, 'utf8'),
    });
  });

  it.each([
    ['without its key', { [CERT]: client.certFile }],
    ['not there, and its key is', { [KEY]: client.keyFile }],
    ['there with the key of another', { [CERT]: client.certFile, [KEY]: server.keyFile }],
  ])('is not %s', (_what, changes) => {
    expect(load(changes)).toThrow(`${KEY}: wants the private key of ${CERT}, and both or neither`);
  });
});
