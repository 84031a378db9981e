import type { BrokerOptions } from 'moleculer';
import { enlargeBufferPool } from './lib/buffer-pool';
import {
  agentConfig,
  centOpsStandInConfig,
  chatbotStandInConfig,
  meshConfig,
  nodeRole,
  orExit,
  serverConfig,
  type NodeRole,
} from './lib/config';
import { agentBrokerOptions, meshBrokerOptions, standInBrokerOptions } from './lib/mesh/broker-options';
import { replCommands } from './lib/repl/commands';

const repl = { replDelimiter: 'dmr $', replCommands };

const byRole: Record<NodeRole, () => BrokerOptions> = {
  server: () => {
    enlargeBufferPool();
    return { ...meshBrokerOptions('server', serverConfig()), ...repl };
  },
  repl: () => ({ ...meshBrokerOptions('repl', meshConfig()), ...repl }),
  agent: () => ({ ...agentBrokerOptions(agentConfig()), ...repl }),
  centops: () => standInBrokerOptions(centOpsStandInConfig()),
  chatbot: () => standInBrokerOptions(chatbotStandInConfig()),
};

/** What moleculer-runner starts: DMR_ROLE says which kind of node; a wrong configuration ends the start here. */
export default orExit(() => byRole[nodeRole()]());
