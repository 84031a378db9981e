import { readFileSync } from 'node:fs';

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

export interface Share {
  name: string;
  /** Time in it and not in what it called, of all time that was not idle. */
  self: number;
}

const IDLE = new Set(['(idle)', '(program)', '(root)']);

/** Where the time of a V8 CPU profile went: by function and by package, most first. */
export function readProfile(file: string): { busyMs: number; functions: Share[]; packages: Share[] } {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as Profile;
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const [functions, packages] = [new Map<string, number>(), new Map<string, number>()];
  let busy = 0;
  samples.forEach((id, i) => {
    const frame = frames.get(id);
    if (!frame || IDLE.has(frame.functionName)) return;
    const us = timeDeltas[i] ?? 0;
    busy += us;
    const { functionName, url, lineNumber } = frame;
    const where = packageOf(url);
    const name = `${functionName || '(anonymous)'} ${where} ${url.split('/').pop()}:${lineNumber + 1}`;
    functions.set(name, (functions.get(name) ?? 0) + us);
    packages.set(where, (packages.get(where) ?? 0) + us);
  });
  return { busyMs: busy / 1000, functions: shares(functions, busy), packages: shares(packages, busy) };
}

function packageOf(url: string): string {
  const [, inside] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url) ?? [];
  if (inside) return inside;
  if (url.startsWith('node:')) return url.split('/').slice(0, 2).join('/');
  const [, own] = /\/dist\/(\w+(?:\/\w+)?)/.exec(url) ?? [];
  return own ?? (url === '' ? '(native)' : url);
}

function shares(times: Map<string, number>, all: number): Share[] {
  return [...times].map(([name, us]) => ({ name, self: us / all })).sort((a, b) => b.self - a.self);
}
