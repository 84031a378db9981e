/**
 * Keeps a broker exactly as long as its launcher lives. The launcher holds the other end of our stdin and never writes:
 * its end is the order to stop, whether the launcher closed it, crashed or was killed. We are a group of our own, so
 * a terminal's Ctrl-C reaches the launcher and not us, and the broker goes down in order.
 *
 * Argument: `GuardPlan` of guard.ts as JSON. Prints the pids of what it started as JSON, once.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

const IN_USE = 75;
const { dir, lock, processes, stopCommand, graceMs, throwAway } = JSON.parse(process.argv[2]);
const children = [];
let ending = false;

process.stdin
  .on('end', () => end(0))
  .on('error', () => end(0))
  .resume();
process.stdout.on('error', () => {}); // the launcher is gone; stdin says so as well
process.on('SIGTERM', () => end(0));

if (lock && !(await takeLock())) process.exit(IN_USE);
for (const { command, log } of processes) if (!ending) start(command, log);
console.log(JSON.stringify(children.map((child) => child.pid)));

function start([program, ...args], log) {
  const output = openSync(log, 'a');
  // A group of its own, so that whatever it starts in turn can be ended with it.
  const child = spawn(program, args, { detached: true, stdio: ['ignore', output, output] });
  child.on('error', (error) => {
    console.error(error.message);
    end(1);
  });
  child.on('exit', () => end(1));
  if (child.pid) children.push(child);
}

/** Ends everything, last started first. The first call decides; what ends on the way calls again. */
async function end(code) {
  if (ending) return;
  ending = true;
  for (const child of children.reverse()) await stop(child);
  if (stopCommand) spawnSync(stopCommand[0], stopCommand.slice(1));
  // A broker that ended by itself leaves its logs to the launcher.
  if (throwAway && code === 0) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  if (lock) rmSync(lock, { force: true });
  process.exit(code);
}

async function stop(child) {
  if (!throwAway && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await Promise.race([once(child, 'exit'), wait(graceMs)]);
  }
  // Bounded: where nobody reaps orphans, their group never goes.
  for (let tries = 0; tries < 40 && signalGroup(child.pid); tries++) await wait(50);
}

/** Kills the group; false once there is none. */
function signalGroup(pid) {
  try {
    return process.kill(-pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Two brokers on one data folder would destroy it: whoever listens on the socket has the folder. */
async function takeLock() {
  if ((await listen()) !== 'EADDRINUSE') return true;
  if (await answers()) return false;
  rmSync(lock, { force: true }); // left behind by a guard that was killed
  return (await listen()) !== 'EADDRINUSE';
}

/** The error's code, as of a file system that knows no sockets; nothing when it listens. */
function listen() {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy()).unref();
    server.on('error', (error) => resolve(error.code));
    server.listen(lock, () => resolve());
  });
}

function answers() {
  return new Promise((resolve) => {
    const socket = connect(lock);
    socket.on('connect', () => resolve(true));
    socket.on('close', () => resolve(false));
    socket.on('error', () => resolve(false));
  });
}
