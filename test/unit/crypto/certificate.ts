import { type KeyObject, sign } from 'node:crypto';

const SHA256_WITH_RSA = '300d06092a864886f70d01010b0500';
const COMMON_NAME = '0603550403';

/** An X.509 certificate for a public key, made by hand (RFC 5280, 4.1): Node can read certificates, not make them. */
export function makeCertificate(subject: KeyObject, issuerPrivatePem: string, commonName = 'test'): string {
  const name = sequence(tlv(0x31, sequence(hex(COMMON_NAME), tlv(0x0c, Buffer.from(commonName)))));
  const contents = sequence(
    tlv(0xa0, tlv(0x02, hex('02'))), // version 3
    tlv(0x02, hex('01')), // serial number
    hex(SHA256_WITH_RSA),
    name,
    sequence(utcTime('260101000000Z'), utcTime('491231235959Z')),
    name,
    subject.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', contents, issuerPrivatePem);
  const der = sequence(contents, hex(SHA256_WITH_RSA), tlv(0x03, hex('00'), signature));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const utcTime = (text: string): Buffer => tlv(0x17, Buffer.from(text));
const sequence = (...parts: Buffer[]): Buffer => tlv(0x30, ...parts);

/** Tag, length, value: a length from 128 on takes two more bytes here, which is enough for a certificate. */
function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length = value.length < 128 ? [value.length] : [0x82, value.length >> 8, value.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), value]);
}
