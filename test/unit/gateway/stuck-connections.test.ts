import type { Socket } from 'node:net';
import { StuckConnections } from '../../../lib/gateway/stuck-connections';

const LIMIT_MS = 1000;

class FakeConnection {
  bytesWritten = 0;
  writableLength = 0;
  readonly destroy = jest.fn();

  write(bytes: number): void {
    this.bytesWritten += bytes;
    this.writableLength += bytes;
  }

  taken(bytes: number): void {
    this.writableLength -= bytes;
  }
}

let connection: FakeConnection;
let stuck: StuckConnections;

beforeEach(() => {
  jest.useFakeTimers();
  connection = new FakeConnection();
  stuck = new StuckConnections(LIMIT_MS);
});
afterEach(() => void jest.useRealTimers());

/** Looks each 300 ms for so long; returns how many were cut. */
function lookFor(ms: number): number {
  let count = 0;
  for (let past = 0; past < ms; past += 300) {
    jest.advanceTimersByTime(300);
    count += stuck.cut([connection as unknown as Socket]);
  }
  return count;
}

it('cuts a connection whose peer takes nothing for longer than the limit', () => {
  connection.write(100);
  expect(lookFor(1200)).toBe(0);
  expect(lookFor(300)).toBe(1);
  expect(connection.destroy).toHaveBeenCalledTimes(1);
});

it('cuts it although more and more is written', () => {
  connection.write(100);
  let count = 0;
  for (let n = 0; n < 5; n++) {
    connection.write(100);
    count += lookFor(300);
  }
  expect(count).toBe(1);
});

it('leaves one alone that takes a little now and then, or has nothing to take', () => {
  expect(lookFor(6000)).toBe(0);
  connection.write(100);
  for (let n = 0; n < 9; n++) {
    expect(lookFor(900)).toBe(0);
    connection.taken(10);
  }
  connection.taken(10);
  expect(lookFor(6000)).toBe(0);
});
