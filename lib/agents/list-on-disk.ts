import type { AgentDatabase, AgentStore } from '../store/agent-store';
import type { AgentRecord } from './agent-record';

const KEY = 'list';

/** The last agent list, for an agent that starts while no server can be reached. */
export class ListOnDisk {
  private readonly lists: AgentDatabase<AgentRecord[]>;

  /** Throws RetryableError STORAGE_FAILED. */
  constructor(store: AgentStore) {
    this.lists = store.database('directory');
  }

  read(): AgentRecord[] | undefined {
    return this.lists.get(KEY);
  }

  /** Resolves when committed. Throws RetryableError STORAGE_FAILED. */
  async write(agents: AgentRecord[]): Promise<void> {
    await this.lists.put(KEY, agents);
  }
}
