import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { read } from './read';
import type { KeyCheckConfig } from './types';

/** Files and values that stand in for variables of the environment. */
export interface KeyCheckSources {
  /** A file of variables; what is in the environment goes before it, as in `--envfile` of a node. */
  envFile?: string;
  /** A file with the private key, in place of AGENT_PRIVATE_KEY and AGENT_PRIVATE_KEY_FILE. */
  keyFile?: string;
  agentId?: string;
}

/**
 * What it takes to check an agent's key, by the rules of the agent's own configuration.
 * @throws {ConfigError} when a variable is missing or wrong; the system's error for a file that cannot be read.
 */
export function loadKeyCheckConfig(
  { envFile, keyFile, agentId }: KeyCheckSources,
  env: NodeJS.ProcessEnv = process.env,
): KeyCheckConfig {
  const values = read('keys', {
    ...(envFile !== undefined && parse(readFileSync(envFile))),
    ...env,
    ...(keyFile !== undefined && {
      AGENT_PRIVATE_KEY: readFileSync(keyFile, 'utf8'),
      AGENT_PRIVATE_KEY_FILE: undefined,
    }),
    ...(agentId !== undefined && { AGENT_ID: agentId }),
  });
  const { CENTOPS_CONFIGURATION_URL: centOpsUrl, DMR_SERVER_WEBSOCKET_URL: urls } = values;
  return {
    agentId: values.AGENT_ID,
    privateKeyPem: values.AGENT_PRIVATE_KEY,
    centOps: centOpsUrl === undefined ? undefined : { url: centOpsUrl, ...centOpsLogin(values) },
    uplink: urls && {
      urls,
      namespace: values.DMR_SERVER_WEBSOCKET_NAMESPACE,
      reconnectDelayMs: values.WEBSOCKET_RECONNECTION_DELAY,
      reconnectDelayMaxMs: values.WEBSOCKET_RECONNECTION_DELAY_MAX,
    },
  };
}

function centOpsLogin(values: { CENTOPS_CONFIGURATION_API_KEY?: string; CENTOPS_CONFIGURATION_API_SECRET?: string }) {
  return { apiKey: values.CENTOPS_CONFIGURATION_API_KEY, apiSecret: values.CENTOPS_CONFIGURATION_API_SECRET };
}
