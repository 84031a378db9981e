import { createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import path from 'node:path';
import { makeAgentKeys } from './keys';

const SHA256_WITH_RSA = '300d06092a864886f70d01010b0500';
const COMMON_NAME = '0603550403';
const ALTERNATIVE_NAMES = '0603551d11';
const BASIC_CONSTRAINTS = '0603551d13';

/** What a certificate says beside its key. */
interface CertificateOptions {
  /** Common names. */
  subject?: string;
  issuer?: string;
  /** Says that the subject may sign others (RFC 5280, 4.2.1.9). */
  ca?: boolean;
  /** Host name or IPv4 address that the subject serves (RFC 5280, 4.2.1.6). */
  serves?: string;
}

/** An X.509 certificate for a public key, made by hand (RFC 5280, 4.1): Node can read certificates, not make them. */
export function makeCertificate(
  key: KeyObject,
  issuerPrivatePem: string,
  { subject = 'test', issuer = 'test', ca = false, serves }: CertificateOptions = {},
): string {
  const contents = sequence(
    tlv(0xa0, tlv(0x02, hex('02'))), // version 3
    tlv(0x02, hex('01'), randomBytes(8)), // serial number, each another one
    hex(SHA256_WITH_RSA),
    nameOf(issuer),
    sequence(utcTime('260101000000Z'), utcTime('491231235959Z')),
    nameOf(subject),
    key.export({ type: 'spki', format: 'der' }),
    ...extensions(ca, serves),
  );
  const signature = sign('sha256', contents, issuerPrivatePem);
  const der = sequence(contents, hex(SHA256_WITH_RSA), tlv(0x03, hex('00'), signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** A certificate and its key, as PEM files. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** Files of a CA, of a server that is `localhost` and not 127.0.0.1, and of a client, both signed by the CA. */
export function makeCertificateFiles(dir: string): Record<'ca' | 'server' | 'client', CertificateFiles> {
  const authority = makeAgentKeys();
  const issue = (subject: string, { privateKeyPem, publicKeyPem } = makeAgentKeys(), more: CertificateOptions = {}) => {
    const files = { certFile: path.join(dir, `${subject}.pem`), keyFile: path.join(dir, `${subject}-key.pem`) };
    const names = { subject, issuer: 'ca', ...more };
    writeFileSync(files.certFile, makeCertificate(createPublicKey(publicKeyPem), authority.privateKeyPem, names));
    writeFileSync(files.keyFile, privateKeyPem);
    return files;
  };
  return {
    ca: issue('ca', authority, { ca: true }),
    server: issue('server', makeAgentKeys(), { serves: 'localhost' }),
    client: issue('client'),
  };
}

function extensions(ca: boolean, serves: string | undefined): Buffer[] {
  const all: Buffer[] = [];
  if (ca) all.push(sequence(hex(BASIC_CONSTRAINTS), tlv(0x01, hex('ff')), tlv(0x04, sequence(tlv(0x01, hex('ff'))))));
  if (serves !== undefined) all.push(sequence(hex(ALTERNATIVE_NAMES), tlv(0x04, sequence(generalName(serves)))));
  return all.length > 0 ? [tlv(0xa3, sequence(...all))] : [];
}

function generalName(name: string): Buffer {
  return isIPv4(name) ? tlv(0x87, Buffer.from(name.split('.').map(Number))) : tlv(0x82, Buffer.from(name));
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const nameOf = (name: string): Buffer => sequence(tlv(0x31, sequence(hex(COMMON_NAME), tlv(0x0c, Buffer.from(name)))));
const utcTime = (text: string): Buffer => tlv(0x17, Buffer.from(text));
const sequence = (...parts: Buffer[]): Buffer => tlv(0x30, ...parts);

/** Tag, length, value: a length from 128 on takes two more bytes here, which is enough for a certificate. */
function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length = value.length < 128 ? [value.length] : [0x82, value.length >> 8, value.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
