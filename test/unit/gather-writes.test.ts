import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { gatherWrites } from '../../lib/gather-writes';

/** What the system is given, call by call. */
function recorder() {
  const calls: string[] = [];
  const textOf = (chunk: unknown) => (chunk as Buffer).toString();
  const socket = new Writable({
    write: (chunk, _encoding, done) => (calls.push(textOf(chunk)), done()),
    writev: (chunks, done) => (calls.push(chunks.map(({ chunk }) => textOf(chunk)).join('')), done()),
  });
  gatherWrites(socket);
  return { calls, socket };
}

describe('writes that are gathered', () => {
  it('go out in one call, in their order, with what later turns write following', async () => {
    const { calls, socket } = recorder();
    for (const part of ['a', 'b', 'c']) socket.write(part);
    expect(calls).toEqual([]);
    await endOfTurn();
    expect(calls).toEqual(['abc']);
    socket.write('d');
    await endOfTurn();
    expect(calls).toEqual(['abc', 'd']);
  });

  it('go out within the turn that also closes the socket', async () => {
    const { calls, socket } = recorder();
    socket.write('last');
    socket.end();
    await once(socket, 'finish');
    expect(calls).toEqual(['last']);
  });

  it('keep their callbacks, and those of a writer that gathers on its own', async () => {
    const { calls, socket } = recorder();
    const done = jest.fn();
    socket.cork();
    socket.write('head', done);
    socket.write('body', done);
    socket.uncork();
    await endOfTurn();
    await endOfTurn();
    expect(calls).toEqual(['headbody']);
    expect(done).toHaveBeenCalledTimes(2);
  });

  it('say when the socket has taken enough', () => {
    const { socket } = recorder();
    expect(socket.write('a')).toBe(true);
    expect(socket.write('b'.repeat(socket.writableHighWaterMark))).toBe(false);
  });

  it('go out before the socket is destroyed, as they would without', async () => {
    const { calls, socket } = recorder();
    socket.write('refused');
    socket.destroy();
    expect(calls).toEqual(['refused']);
    socket.destroy();
    await endOfTurn();
    expect(calls).toEqual(['refused']);
  });

  it('reach the other end of a connection that is destroyed right after them', async () => {
    const server = createServer((socket) => {
      gatherWrites(socket);
      socket.write('refused');
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
    expect(await text(near)).toBe('refused');
    server.close();
  });
});
