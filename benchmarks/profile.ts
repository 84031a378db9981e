import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PAYLOAD_BYTES, SENDERS } from './lib/bench';
import type { Ground } from './lib/ground';
import { readProfile, type Share } from './lib/profile';

const ROWS = 30;

/** Profiles a server node under full load and says where the time of a message goes; the profile stays for a viewer. */
export async function profile(ground: Ground, measureMs: number, say: (line: string) => void): Promise<void> {
  const dir = mkdtempSync(path.join(tmpdir(), 'dmr-profile-'));
  const mesh = await ground.mesh({ agents: SENDERS, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${dir}`] });
  const load = { senders: SENDERS, inFlight: 50, warmUpMs: 2000, measureMs, payloadBytes: PAYLOAD_BYTES };
  const { delivered } = await mesh.ring.remote.full(load);
  await mesh.stop(); // the profile is written as the process ends
  const file = path.join(dir, readdirSync(dir)[0] as string);
  const { busyMs, functions, packages } = readProfile(file);
  const line = ({ name, self }: Share) => `${((self * busyMs * 1000) / delivered).toFixed(1).padStart(7)} µs  ${name}`;
  say(`\nOf ${delivered} messages, each took the server (system calls within Node.js not counted):\n`);
  for (const share of packages.slice(0, ROWS)) say(line(share));
  say('\nand by function:\n');
  for (const share of functions.slice(0, ROWS)) say(line(share));
  say(`\nThe profile, for Chrome's DevTools or speedscope: ${file}`);
}
