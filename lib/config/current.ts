import { loadAgentConfig } from './load-agent';
import { loadMeshConfig, loadServerConfig } from './load-server';
import { loadCentOpsStandInConfig, loadChatbotStandInConfig } from './load-stand-ins';
import { read } from './read';

/** What a process runs as. */
export type NodeRole = 'server' | 'agent' | 'repl' | 'centops' | 'chatbot';

/** The server's configuration of this process, read at the first call. @throws {ConfigError} as `loadServerConfig`. */
export const serverConfig = once(() => loadServerConfig());

/** The agent's configuration of this process, read at the first call. @throws {ConfigError} as `loadAgentConfig`. */
export const agentConfig = once(() => loadAgentConfig());

/** What this process needs to join the mesh, read at the first call. @throws {ConfigError} as `loadMeshConfig`. */
export const meshConfig = once(() => loadMeshConfig());

/** CentOps' stand-in of this process, read at the first call. @throws {ConfigError} as `loadCentOpsStandInConfig`. */
export const centOpsStandInConfig = once(() => loadCentOpsStandInConfig());

/** The chatbot's stand-in of this process, read at the first call. @throws {ConfigError} as `loadChatbotStandInConfig`. */
export const chatbotStandInConfig = once(() => loadChatbotStandInConfig());

/** What this process runs as, by DMR_ROLE. @throws {ConfigError} when it is none of the five roles. */
export function nodeRole(env: NodeJS.ProcessEnv = process.env): NodeRole {
  return read('process', env).DMR_ROLE;
}

/** Makes this process a REPL, whatever its environment is for: a container hands on the role and services of its node. */
export function runAsRepl(): void {
  process.env['DMR_ROLE'] = 'repl';
  // Moleculer's runner would start what these name, and open its ports.
  delete process.env['SERVICES'];
  delete process.env['SERVICEDIR'];
}

function once<T extends object>(load: () => T): () => T {
  let loaded: T | undefined;
  return () => (loaded ??= load());
}
