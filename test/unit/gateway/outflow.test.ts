import { EventEmitter } from 'node:events';
import type { Socket } from 'socket.io';
import { Outflow } from '../../../lib/gateway/outflow';

const MAX = 1000;

/** As much of Engine.IO as an outflow touches: a buffer goes to the transport as a whole once that has taken the last. */
class FakeConnection extends EventEmitter {
  writeBuffer: number[] = [];
  readonly close = jest.fn();
  readonly transport = { writable: true, socket: { terminate: jest.fn() } };

  write(bytes: number): void {
    this.writeBuffer.push(bytes);
    this.flush();
  }

  /** The peer has read what the transport had. */
  taken(): void {
    this.transport.writable = true;
    this.flush();
  }

  private flush(): void {
    if (!this.transport.writable || this.writeBuffer.length === 0) return;
    this.writeBuffer = [];
    this.transport.writable = false;
    this.emit('drain');
  }
}

let conn: FakeConnection;
let outflow: Outflow;

beforeEach(() => {
  jest.useFakeTimers();
  conn = new FakeConnection();
  outflow = new Outflow({ conn } as unknown as Socket, MAX);
});
afterEach(() => void jest.useRealTimers());

/** Writes messages of this size until no more is taken; returns how many were. */
function fill(bytes: number): number {
  let count = 0;
  for (; count < 100 && outflow.takes(bytes); count++) conn.write(bytes);
  return count;
}

it('takes no more than its bound of what the agent has not read', () => {
  expect(fill(100)).toBe(10);
  conn.taken(); // the first alone; the others are with the transport now
  expect(fill(100)).toBe(1);
  conn.taken();
  conn.taken();
  expect(fill(100)).toBe(10);
});

it('takes a message that is alone however large it is', () => {
  expect(fill(5 * MAX)).toBe(1);
  conn.taken();
  expect(fill(5 * MAX)).toBe(1);
});

it('ends the connection of a closed socket, and frees a second later what it has not taken', () => {
  outflow.end();
  expect(conn.close.mock.calls).toEqual([[]]);
  jest.advanceTimersByTime(999);
  expect(conn.transport.socket.terminate).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(conn.close).toHaveBeenLastCalledWith(true);
  expect(conn.transport.socket.terminate).toHaveBeenCalledTimes(1);
});
