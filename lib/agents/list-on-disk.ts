import type { AgentDatabase, AgentStore } from '../store/agent-store';
import type { AgentRecord } from './agent-record';
import type { AgentDirectory } from './directory';
import type { PreviousKey } from './previous-keys';

const DATABASE = 'directory';
const LIST = 'list';
const PREVIOUS = 'previous';

/** The last agent list, for an agent that starts while no server can be reached, and the keys from before changes. */
export class ListOnDisk {
  private readonly lists: AgentDatabase<AgentRecord[]>;
  private readonly previous: AgentDatabase<PreviousKey[]>;

  /** Throws RetryableError STORAGE_FAILED. */
  constructor(private readonly store: AgentStore) {
    this.lists = store.database(DATABASE);
    this.previous = store.database(DATABASE);
  }

  /** Has the directory take what an earlier process wrote, if one did. */
  read(directory: AgentDirectory): void {
    const list = this.lists.get(LIST);
    // Earlier versions have written no keys.
    if (list) directory.restore(list, this.previous.get(PREVIOUS) ?? []);
  }

  /** Resolves when committed; a directory that knows no list yet leaves none. Throws RetryableError STORAGE_FAILED. */
  async write(directory: AgentDirectory): Promise<void> {
    if (!directory.ready) return;
    await this.store.write([
      { database: DATABASE, key: LIST, value: directory.list() },
      { database: DATABASE, key: PREVIOUS, value: directory.previousKeys },
    ]);
  }
}
