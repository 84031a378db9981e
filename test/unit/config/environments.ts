import { generateKeyPairSync } from 'node:crypto';

export type Env = Record<string, string | undefined>;

export const AGENT_A = '4f0e8c1a-3b52-4c7e-9d11-6a5b8f2d7c01';
export const AGENT_B = '9b2d7f46-8a1c-4e03-b5f8-2c6e1d9a0b02';

/** A certificate with an RSA key whose private part was thrown away. */
export const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIC9TCCAd2gAwIBAgIUW/T4/Nbolkjt7TjNpwtvPIWxHeUwDQYJKoZIhvcNAQEL
BQAwDDEKMAgGA1UEAwwBYTAgFw0yNjExMjAxODMyMDVaGA8yMTI2MTAyNzE4MzIw
NVowDDEKMAgGA1UEAwwBYTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEB
AMYpynZ657wkD/sT59yBxlSi+f/6WXZHfc9+ScvBlKXZ1jtxGhINkR3Aa2AadN8C
wmaFSr1fc7rHJNFe1zWr5A3fAFHAPqfWFDjOdumWWbnErF8ASr3Rnwd6uGqzXzVf
MpZIOMZ4g0pa1tDgvNf2w2xjCWkJ1ijhAjCDl9pY3GulbSRBplSFe1rkQP3xYdxM
xjnbkKiC2MQFgY395eYmArPy1vUgPFuN755P0HUka3R51SC0RgbMgGef6bqFESVd
FJalqL2UiYXA+5pIKXZBho6lXa5Ei6FJpEEhoZXS2G2nfIufQqJ038ZxjBLgVX0M
Q1fTCGrpKawwYKVYBQkgiMECAwEAAaNNMEswHQYDVR0OBBYEFCzRlc67lMxj7MSz
HjoevzYvDDaqMB8GA1UdIwQYMBaAFCzRlc67lMxj7MSzHjoevzYvDDaqMAkGA1Ud
EwQCMAAwDQYJKoZIhvcNAQELBQADggEBAL96v8hVAcfP3i3h9Kst/kbShBhlHcUh
bv30jHCBivVj9ALyNePKlO26OkKDK9XywsrI/ALjnU7V53okn72Sb6xKevYFOmrS
FbTnyrT7gqPRVUf67OISTekLeBCTgIYljfHUWirUZJ3VgoS9T3tgmxjPbA4tBxcS
VyD6zcGO4CWrsDBCYZz15qytf/jt0N/rZ5LiGkKcjRxUd77mgJZ5YqjRzAofy6ZM
AO0rQarFrd+yQbRjd+i5+r5Nt6YpgfXkwvRz17LzOOeUqeBTc5mTvIJgOVULQKnA
N6CbqU4mG7TUswyucyMV1AYd3J03LrmxINDOhAT0rtkWqLKaFW8+E/c=
-----END CERTIFICATE-----
`;

/** A fresh RSA key pair: SPKI and the asked form of the private key, both PEM. */
export function rsaPair(type: 'pkcs8' | 'pkcs1' = 'pkcs8', modulusLength = 2048) {
  return generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type, format: 'pem' },
  });
}

/** No more than a server needs. */
export const serverEnv = (changes: Env = {}): Env => ({
  CENTOPS_CONFIGURATION_URL: 'http://centops.test/agents',
  RABBITMQ_DEFAULT_HOST: 'rabbit.test',
  RABBITMQ_DEFAULT_PORT: '5672',
  RABBITMQ_DEFAULT_USER: 'dmr',
  RABBITMQ_DEFAULT_PASS: 'broker-password',
  ...changes,
});

/** No more than an agent needs. */
export const agentEnv = (privateKey: string, changes: Env = {}): Env => ({
  DMR_SERVER_WEBSOCKET_URL: 'http://server.test:8075',
  AGENT_ID: AGENT_A,
  AGENT_PRIVATE_KEY: privateKey,
  OUTGOING_MESSAGE_ENDPOINT: 'http://chatbot.test/messages',
  ...changes,
});

/** No more than the stand-in of CentOps needs. */
export const centOpsEnv = (publicKey: string, changes: Env = {}): Env => ({
  MOCK_DMR_AGENT_A_ID: AGENT_A,
  MOCK_DMR_AGENT_A_PUBLIC_KEY: publicKey,
  MOCK_DMR_AGENT_B_ID: AGENT_B,
  MOCK_DMR_AGENT_B_PUBLIC_KEY: publicKey,
  ...changes,
});

/** No more than the stand-in of a chatbot needs. */
export const chatbotEnv = (changes: Env = {}): Env => ({
  CHATBOT_NAME: 'Alpha',
  CHATBOT_AGENT_URL: 'http://agent.test:8077',
  ...changes,
});
