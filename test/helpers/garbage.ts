import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { anyJson, anyText, edit, edited } from '../property/arbitraries';

/** Written into every failure, so that it can be had again: `DMR_TEST_SEED=… npm test -- <file>`. */
export const SEED = Number(process.env['DMR_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let drawn = 0;

/** So many values, other ones at each call and in each run, the same ones for the same seed. */
export function sample<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { numRuns: count, seed: SEED + drawn++ });
}

/** Frames of engine.io and socket.io that no client sends: random, or valid ones with a few edits. */
export const frame = (namespace: string) =>
  fc.oneof(
    anyText,
    fc
      .tuple(
        fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '40', '42', '43', '44', '45', '451-', '4599999999-'),
        anyJson,
      )
      .map(([type, json]) => type + json),
    fc
      .tuple(
        fc.constantFrom(
          `40${namespace},{"token":"x"}`,
          `42${namespace},1["dmr:agents:message-to-dmr-server",{}]`,
          `451-${namespace},["x",{"_placeholder":true,"num":0}]`,
          `43${namespace},0[]`,
        ),
        fc.array(edit, { maxLength: 3 }),
      )
      .map(([valid, changes]) => changes.reduce(edited, valid)),
  );

/** Opens a WebSocket, sends frames of which the server makes what it can, and goes. */
export async function throwFrames(url: string, frames: (string | Buffer)[]): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
  socket.on('error', () => undefined); // the server may end it at any time
  await Promise.race([once(socket, 'open'), once(socket, 'close')]);
  for (const one of frames) if (socket.readyState === WebSocket.OPEN) socket.send(one);
  socket.close();
  await once(socket, 'close');
}

/** Requests to an HTTP server that are none, or nearly: bytes as they go over the line. */
export const request = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(
      fc.constantFrom(
        'GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
        'POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
        'POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n40',
        'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
      ),
      fc.array(edit, { maxLength: 4 }),
    )
    .map(([valid, changes]) => Buffer.from(changes.reduce(edited, valid))),
);

/** Sends bytes to a port, and hangs up when the other side has answered something, or nothing for a while. */
export async function throwBytes(url: string, bytes: Buffer): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined); // a reset is an answer too
  socket.on('data', () => socket.destroy());
  socket.setTimeout(50, () => socket.destroy()); // it waits for the rest of half a request, which never comes
  socket.write(bytes);
  await once(socket, 'close');
}
