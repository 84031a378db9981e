import type { Service, ServiceBroker, ServiceSchema } from 'moleculer';
import { AgentDirectory } from '../lib/agents/directory';
import { orExitAsync, type AgentConfig } from '../lib/config';
import { KeyRing } from '../lib/crypto/key-ring';
import { defineMixin } from '../lib/define-service';
import type { RetryableError } from '../lib/errors';
import { Gate } from '../lib/gate';
import { addHealth } from '../lib/mesh/health';
import { AgentStore } from '../lib/store/agent-store';
import { metricsOf } from './metrics.mixin';

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
  private endHealth: (() => void) | undefined;

  constructor(
    readonly config: AgentConfig,
    private readonly broker: ServiceBroker,
  ) {
    this.keys = new KeyRing(config.privateKeyPem, config.previousPrivateKeyPem);
    this.directory = new AgentDirectory(config.keyOverlapMs);
  }

  async acquire(): Promise<void> {
    this.users += 1;
    this.opening ??= this.closing.then(() => this.open());
    this.store = await this.opening;
  }

  async release(): Promise<void> {
    this.users -= 1;
    if (this.users > 0) return;
    this.opening = undefined;
    this.endHealth?.();
    this.closing = this.store.close();
    await this.closing;
  }

  private async open(): Promise<AgentStore> {
    const { dataDir, agentId } = this.config;
    const told = (refusal?: RetryableError) => this.diskChanged(refusal);
    const store = await orExitAsync(() => AgentStore.open(dataDir, agentId, told));
    metricsOf(this.broker).set('dmr_agent_disk_writable', 1);
    this.endHealth = addHealth(this.broker, () => ({ disk: { ok: store.writable } }));
    return store;
  }

  private diskChanged(refusal?: RetryableError): void {
    const log = this.broker.getLogger('store');
    metricsOf(this.broker).set('dmr_agent_disk_writable', refusal ? 0 : 1);
    if (refusal) log.error(refusal.message, { event: 'disk-down', code: refusal.code });
    else log.info('the disk takes what is written again', { event: 'disk-up' });
  }
}

const perBroker = new WeakMap<ServiceBroker, SharedNode>();

/** Gives a service `this.node`: the agent's configuration, key, directory and store, one for the whole process. */
export function agentNodeMixin(config: AgentConfig): Partial<ServiceSchema> {
  return defineMixin<AgentNodeService>({
    created(this: AgentNodeService) {
      const node = perBroker.get(this.broker) ?? new SharedNode(config, this.broker);
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
