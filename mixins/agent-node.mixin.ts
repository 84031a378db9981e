import type { KeyObject } from 'node:crypto';
import type { Service, ServiceBroker, ServiceSchema } from 'moleculer';
import { AgentDirectory } from '../lib/agents/directory';
import type { AgentConfig } from '../lib/config';
import { importPrivateKey } from '../lib/crypto/keys';
import { defineMixin } from '../lib/define-service';
import { Gate } from '../lib/gate';

/** What the services of one agent share. */
export interface AgentNode {
  config: AgentConfig;
  /** Imported once. */
  privateKey: KeyObject;
  directory: AgentDirectory;
  /** Open while messages can go up. */
  uplinkUp: Gate;
}

export interface AgentNodeService extends Service {
  node: AgentNode;
}

const perBroker = new WeakMap<ServiceBroker, AgentNode>();

/** Gives a service `this.node`: the agent's configuration, key and directory, one for the whole process. */
export function agentNodeMixin(config: AgentConfig): Partial<ServiceSchema> {
  return defineMixin<AgentNodeService>({
    created(this: AgentNodeService) {
      let node = perBroker.get(this.broker);
      if (!node) {
        node = {
          config,
          privateKey: importPrivateKey(config.privateKeyPem),
          directory: new AgentDirectory(),
          uplinkUp: new Gate(),
        };
        perBroker.set(this.broker, node);
      }
      this.node = node;
    },
  });
}
