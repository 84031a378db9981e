import { openSync, readSync } from 'node:fs';
import type { Arrival } from './chatbot';

const EVERY_MS = 50;
const CHUNK = 1 << 16;

/** Follows the journals of the chatbots as they grow. */
export class Journals {
  private readonly files: { fd: number; at: number; rest: string }[];
  private readonly timer: NodeJS.Timeout;

  constructor(
    files: string[],
    private readonly arrived: (arrival: Arrival) => void,
  ) {
    this.files = files.map((file) => ({ fd: openSync(file, 'a+', 0o600), at: 0, rest: '' }));
    this.timer = setInterval(() => this.read(), EVERY_MS);
  }

  /** Reads what there is. */
  read(): void {
    for (const file of this.files) {
      const buffer = Buffer.alloc(CHUNK);
      for (let count = readSync(file.fd, buffer, 0, CHUNK, file.at); count > 0;) {
        file.at += count;
        // Journals are ASCII: no character is cut in two by the end of a chunk.
        const lines = (file.rest + buffer.toString('latin1', 0, count)).split('\n');
        file.rest = lines.pop() ?? '';
        for (const line of lines) this.arrived(JSON.parse(line) as Arrival);
        count = readSync(file.fd, buffer, 0, CHUNK, file.at);
      }
    }
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
