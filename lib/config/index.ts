export { ConfigError } from './config-error';
export {
  agentConfig,
  centOpsStandInConfig,
  chatbotStandInConfig,
  meshConfig,
  nodeRole,
  runAsRepl,
  serverConfig,
  type NodeRole,
} from './current';
export { healthPort } from './health-port';
export { loadAgentConfig } from './load-agent';
export { loadKeyCheckConfig, type KeyCheckSources } from './load-keys';
export { loadMeshConfig, loadServerConfig } from './load-server';
export { loadCentOpsStandInConfig, loadChatbotStandInConfig } from './load-stand-ins';
export { orExit, orExitAsync } from './or-exit';
export type * from './types';
