import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePorts } from '../../scripts/lib/broker/free-ports';

/** What becomes of the nth message that a mesh accepted: how often it is posted, and whether repetitions are announced. */
type Fate = (nth: number) => { times: number; announced?: boolean };

const dir = mkdtempSync(path.join(tmpdir(), 'dmr-drill-test-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
jest.setTimeout(60_000);

/** Stands in for agents and everything between them: takes what is posted and brings it to the recipient's chatbot. */
async function fakeMesh(fate: Fate) {
  const [chatbotA, chatbotB] = (await freePorts(2)) as [number, number];
  const chatbots: Record<string, number> = { a: chatbotA, b: chatbotB };
  let count = 0;
  const agent = async (id: string): Promise<[Server, number]> => {
    const server = createServer((request, response) => {
      void bodyOf(request).then(async (message) => {
        const { times, announced } = fate(++count);
        for (let time = 1; time <= times; time++) {
          const again = announced && time > 1;
          await fetch(`http://127.0.0.1:${chatbots[message.recipientId]}/`, {
            method: 'POST',
            headers: again ? { 'x-dmr-redelivered': 'true' } : {},
            body: JSON.stringify({ ...message, senderId: id }),
          });
        }
        response.end();
      });
    });
    const [port] = (await freePorts(1)) as [number];
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return [server, port];
  };
  const [[a, portA], [b, portB]] = await Promise.all([agent('a'), agent('b')]);
  const agents = [
    { id: 'a', url: `http://127.0.0.1:${portA}`, listen: `127.0.0.1:${chatbotA}` },
    { id: 'b', url: `http://127.0.0.1:${portB}`, listen: `127.0.0.1:${chatbotB}` },
  ];
  const file = path.join(dir, `${portA}.json`);
  writeFileSync(file, JSON.stringify({ agents }));
  const stop = () => [a, b].forEach((server) => void (server.close(), server.closeAllConnections()));
  return { file, stop };
}

async function bodyOf(request: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString()) as { id: string; recipientId: string };
}

async function drill(fate: Fate) {
  const mesh = await fakeMesh(fate);
  const options = ['--staging', mesh.file, '--messages', '40', '--rate', '100', '--hold', '1', '--settle', '2'];
  const args = ['--import', 'tsx', 'scripts/drill.ts', ...options, '--exec', 'nothing=true', '--data-dir', dir];
  const child = spawn(process.execPath, args, {
    cwd: path.join(__dirname, '../..'),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
  const [code] = (await once(child, 'exit')) as [number | null];
  mesh.stop();
  return { code, output };
}

test('a mesh that delivers everything once passes, and the table names its faults', async () => {
  const { code, output } = await drill(() => ({ times: 1 }));
  expect(output).toMatch(/\| none .*\n\| nothing /);
  expect(output).toContain('0 lost, 0 twice, 0 out of order');
  expect(code).toBe(0);
});

test('one message that was accepted and never arrives fails it', async () => {
  const { code, output } = await drill((nth) => ({ times: nth === 7 ? 0 : 1 }));
  expect(output).toContain('1 lost, 0 twice');
  expect(output).toMatch(/lost: \S+ from [ab] to [ab], during none/);
  expect(code).toBe(1);
});

test('one message that arrives twice fails it', async () => {
  const { code, output } = await drill((nth) => ({ times: nth === 7 ? 2 : 1 }));
  expect(output).toContain('0 lost, 1 twice');
  expect(code).toBe(1);
});

test('a repetition that was announced as one passes and is counted apart', async () => {
  const { code, output } = await drill((nth) => ({ times: nth === 7 ? 2 : 1, announced: true }));
  expect(output).toContain('0 lost, 0 twice');
  expect(output).toMatch(/\| \*\*all\*\* .*\| 1 +\| 0 +\|\n/);
  expect(code).toBe(0);
});
