import type { Service, ServiceBroker, ServiceSchema } from 'moleculer';
import { AgentDirectory } from '../lib/agents/directory';
import { orExitAsync, type AgentConfig } from '../lib/config';
import { KeyRing } from '../lib/crypto/key-ring';
import { defineMixin } from '../lib/define-service';
import { Gate } from '../lib/gate';
import { AgentStore } from '../lib/store/agent-store';

/** What the services of one agent share. */
export interface AgentNode {
  config: AgentConfig;
  keys: KeyRing;
  directory: AgentDirectory;
  /** Open while messages can go up. */
  uplinkUp: Gate;
  /** Open from before a service's own `started` until after its own `stopped`. */
  store: AgentStore;
}

export interface AgentNodeService extends Service {
  node: AgentNode;
}

/** One for the whole process; the store is opened by the first service that starts and closed by the last that stops. */
class SharedNode implements AgentNode {
  readonly keys: KeyRing;
  readonly directory: AgentDirectory;
  readonly uplinkUp = new Gate();
  store!: AgentStore;
  private users = 0;
  private opening: Promise<AgentStore> | undefined;
  private closing = Promise.resolve();

  constructor(readonly config: AgentConfig) {
    this.keys = new KeyRing(config.privateKeyPem, config.previousPrivateKeyPem);
    this.directory = new AgentDirectory(config.keyOverlapMs);
  }

  async acquire(): Promise<void> {
    const { dataDir, agentId } = this.config;
    this.users += 1;
    this.opening ??= this.closing.then(() => orExitAsync(() => AgentStore.open(dataDir, agentId)));
    this.store = await this.opening;
  }

  async release(): Promise<void> {
    this.users -= 1;
    if (this.users > 0) return;
    this.opening = undefined;
    this.closing = this.store.close();
    await this.closing;
  }
}

const perBroker = new WeakMap<ServiceBroker, SharedNode>();

/** Gives a service `this.node`: the agent's configuration, key, directory and store, one for the whole process. */
export function agentNodeMixin(config: AgentConfig): Partial<ServiceSchema> {
  return defineMixin<AgentNodeService>({
    created(this: AgentNodeService) {
      const node = perBroker.get(this.broker) ?? new SharedNode(config);
      perBroker.set(this.broker, node);
      this.node = node;
    },
    async started(this: AgentNodeService) {
      await perBroker.get(this.broker)?.acquire();
    },
    async stopped(this: AgentNodeService) {
      await perBroker.get(this.broker)?.release();
    },
  });
}
