import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import * as docker from '../../../scripts/lib/broker/docker';
import type { RunCommand } from '../../../scripts/lib/run-command';
import { temporaryFolder } from '../../helpers/temporary-folder';

const ending =
  (code: number): RunCommand =>
  () =>
    Promise.resolve({ code, stdout: '', stderr: '' });

describe('argument lines', () => {
  it('runs the image with every port on this machine only and no secret in sight', () => {
    expect(docker.runArguments('dmr-rabbitmq-1').join(' ')).toBe(
      'docker run --rm --detach --name dmr-rabbitmq-1 --ulimit nofile=65536:65536 ' +
        '--publish 127.0.0.1::5672 --publish 127.0.0.1::15672 --publish 127.0.0.1::15692 ' +
        '--env RABBITMQ_DEFAULT_USER --env RABBITMQ_DEFAULT_PASS rabbitmq:4-management',
    );
  });

  it('asks for a port', () => {
    expect(docker.portArguments('dmr-rabbitmq-1', 5672).join(' ')).toBe('docker port dmr-rabbitmq-1 5672/tcp');
  });

  it('removes the container by force, with its volume', () => {
    expect(docker.removeArguments('dmr-rabbitmq-1').join(' ')).toBe('docker rm --force --volumes dmr-rabbitmq-1');
  });
});

describe('parsePort', () => {
  it.each(['127.0.0.1:32768\n', '127.0.0.1:32768\n[::1]:32768\n'])('reads %j', (answer) => {
    expect(docker.parsePort(answer)).toBe(32768);
  });

  it('refuses what is no address', () => {
    expect(() => docker.parsePort('\n')).toThrow('docker port answered ""');
  });
});

describe('dockerAnswers', () => {
  it('goes by the exit code: the program alone prints half an answer', async () => {
    await expect(docker.dockerAnswers(ending(0))).resolves.toBe(true);
    await expect(docker.dockerAnswers(ending(1))).resolves.toBe(false);
    await expect(docker.dockerAnswers(ending(127))).resolves.toBe(false);
  });
});

describe('startDockerBroker', () => {
  const folder = temporaryFolder();
  const calls = path.join(folder, 'calls');
  let rabbit: Server;

  /** A `docker` that notes its arguments; `rabbit` answers on the port it names. */
  function fakeDocker(runEndsWith: number) {
    const port = (rabbit.address() as AddressInfo).port;
    writeFileSync(
      path.join(folder, 'docker'),
      `#!/bin/sh
echo "$1 $RABBITMQ_DEFAULT_USER $RABBITMQ_DEFAULT_PASS" >>${calls}
case $1 in port) echo 127.0.0.1:${port} ;; run) echo "no such image" >&2; exit ${runEndsWith} ;; esac
`,
    );
    chmodSync(path.join(folder, 'docker'), 0o755);
    writeFileSync(calls, '');
    return {
      dataDir: path.join(folder, 'data'),
      throwAway: true,
      say: () => {},
      interactive: false,
      env: { PATH: `${folder}:${process.env['PATH']}` },
    };
  }

  beforeAll((done) => {
    rabbit = createServer((socket) => socket.resume().end('AMQP')).listen(0, '127.0.0.1', done);
  });
  afterAll((done) => {
    rabbit.close(done);
  });

  it('hands over user and password, waits for the handshake and removes the container in the end', async () => {
    const broker = await docker.startDockerBroker(fakeDocker(0));
    expect(readFileSync(calls, 'utf8')).toMatch(new RegExp(`^run ${broker.user} ${broker.password}\n(port .*\n){3}$`));
    expect(broker).toMatchObject({ kind: 'docker', host: '127.0.0.1', port: (rabbit.address() as AddressInfo).port });
    await broker.stop();
    expect(readFileSync(calls, 'utf8')).toMatch(/\nrm +\n$/);
    expect(existsSync(path.join(folder, 'data'))).toBe(false);
  });

  it('removes what a failed start may have left and says what docker said', async () => {
    await expect(docker.startDockerBroker(fakeDocker(125))).rejects.toThrow(/ended with 125: no such image/);
    expect(readFileSync(calls, 'utf8')).toMatch(/\nrm +\n$/);
  });
});
