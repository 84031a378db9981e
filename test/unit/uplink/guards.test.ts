import type { Socket } from 'socket.io-client';
import { guardPackets, GuardedWebSocket } from '../../../lib/uplink/guards';

interface Packet {
  type: number;
  data?: unknown;
}

/** As much of a socket as the guard touches; it does with a packet what it is told. */
function guarded(take: (packet: Packet) => void) {
  const close = jest.fn();
  const onNonsense = jest.fn();
  const socket = { onpacket: take, io: { engine: { close } } };
  guardPackets(socket as unknown as Socket, onNonsense);
  return { give: (packet: Packet) => socket.onpacket(packet), close, onNonsense };
}

describe('a packet of the server', () => {
  it('that the client cannot take ends the connection and not the process', () => {
    const { give, close, onNonsense } = guarded(() => {
      throw new TypeError('no name');
    });
    expect(() => give({ type: 2, data: [] })).not.toThrow();
    expect([close.mock.calls.length, onNonsense.mock.calls.length]).toEqual([1, 1]);
  });

  it.each([undefined, null, {}, { message: { deep: 1 } }, { message: null }])(
    'that refuses the login with %j gets a reason that is a text',
    (data) => {
      const take = jest.fn();
      guarded(take).give({ type: 4, data });
      expect(take).toHaveBeenCalledWith({ type: 4, data: { message: 'the server gave no reason' } });
    },
  );

  it.each([
    { type: 4, data: { message: 'not listed', data: { code: 'TOKEN_REFUSED' } } },
    { type: 2, data: ['event', 1] },
  ])('of the protocol goes on as it is: %j', (packet) => {
    const take = jest.fn();
    const { give, close } = guarded(take);
    give(packet);
    expect(take).toHaveBeenCalledWith(packet);
    expect(close).not.toHaveBeenCalled();
  });
});

it('a frame that the client cannot take ends the connection and not the process', () => {
  const transport = new GuardedWebSocket({ hostname: 'localhost', port: 1, path: '/', query: {} });
  const failed = jest.fn();
  transport.on('error', failed);
  transport.on('packet', () => {
    throw new TypeError('not a handshake');
  });
  expect(() => transport.onPacket({ type: 'open', data: '[]' })).not.toThrow();
  expect(failed).toHaveBeenCalledTimes(1);
});
