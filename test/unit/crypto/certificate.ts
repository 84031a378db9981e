import { type KeyObject, sign } from 'node:crypto';

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
  /** IPv4 address that the subject serves (RFC 5280, 4.2.1.6). */
  address?: string;
}

/** An X.509 certificate for a public key, made by hand (RFC 5280, 4.1): Node can read certificates, not make them. */
export function makeCertificate(
  key: KeyObject,
  issuerPrivatePem: string,
  { subject = 'test', issuer = 'test', ca = false, address }: CertificateOptions = {},
): string {
  const contents = sequence(
    tlv(0xa0, tlv(0x02, hex('02'))), // version 3
    tlv(0x02, hex('01')), // serial number
    hex(SHA256_WITH_RSA),
    nameOf(issuer),
    sequence(utcTime('260101000000Z'), utcTime('491231235959Z')),
    nameOf(subject),
    key.export({ type: 'spki', format: 'der' }),
    ...extensions(ca, address),
  );
  const signature = sign('sha256', contents, issuerPrivatePem);
  const der = sequence(contents, hex(SHA256_WITH_RSA), tlv(0x03, hex('00'), signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

function extensions(ca: boolean, address: string | undefined): Buffer[] {
  const all: Buffer[] = [];
  if (ca) all.push(sequence(hex(BASIC_CONSTRAINTS), tlv(0x01, hex('ff')), tlv(0x04, sequence(tlv(0x01, hex('ff'))))));
  const octets = address?.split('.').map(Number);
  if (octets) all.push(sequence(hex(ALTERNATIVE_NAMES), tlv(0x04, sequence(tlv(0x87, Buffer.from(octets))))));
  return all.length > 0 ? [tlv(0xa3, sequence(...all))] : [];
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
