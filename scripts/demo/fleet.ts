import { readEntries, type LogEntry } from './node-log';
import { NodeProcess, type NodeSpec } from './node-process';

/** An entry and whose it is. */
export type FleetEntry = LogEntry & { title: string };

/** The processes of the demo, in groups that are stopped in the opposite order of their start. */
export class Fleet {
  private readonly groups: { title: string; node: NodeProcess }[][] = [];
  private reportDeath: (error: Error) => void = () => {};
  /** Rejects when a process ends that was not asked to; never resolves. */
  readonly death = new Promise<never>((_resolve, reject) => (this.reportDeath = reject));

  /** @param dir where the logs go */
  constructor(
    private readonly dir: string,
    private readonly say: (line: string) => void,
  ) {}

  /** Starts a group and waits until all of it is ready. @throws when one of it does not get ready in time */
  async start(specs: NodeSpec[]): Promise<void> {
    const group: { title: string; node: NodeProcess }[] = [];
    this.groups.push(group);
    await Promise.all(
      specs.map(async (spec) => {
        const node = await NodeProcess.start(spec, this.dir, this.say);
        group.push({ title: spec.title, node });
        node.death.catch(this.reportDeath);
        await node.ready();
      }),
    );
  }

  /** Stops the groups one after the other; a group's processes together. */
  async stop(): Promise<void> {
    for (const group of this.groups.reverse()) await Promise.all(group.map(({ node }) => node.stop()));
  }

  /** What all logs say of a message. */
  entriesOf(messageId: string): FleetEntry[] {
    const nodes = this.groups.flat();
    const entries = nodes.flatMap(({ title, node }) => readEntries(node.log).map((entry) => ({ ...entry, title })));
    return entries.filter((entry) => entry.event && entry.messageId === messageId);
  }
}
