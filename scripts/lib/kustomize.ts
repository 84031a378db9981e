import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { runCommand } from './run-command';

const ROOT = path.join(__dirname, '../..');

/** Every folder with a kustomization, and what they read. */
const FOLDERS = ['k8s', 'rabbitmq', 'monitoring/grafana'];

/** From this minor version of kubectl on, its kustomize reads what ours are written for; Debian 12 has 1.20. */
const MODERN = 21;

interface Kustomization {
  resources?: string[];
  bases?: string[];
  patches?: { path: string }[];
  patchesStrategicMerge?: string[];
}

/**
 * Renders folders with a kustomization, given by their paths from the root of the project, to YAML with `kubectl kustomize`.
 * For a kubectl whose kustomize is 2.0 they are written in its words first.
 * @throws with kubectl's own words when one cannot be rendered
 */
export async function renderAll(kubectl: string, folders: readonly string[]): Promise<string[]> {
  if ((await minorVersion(kubectl)) >= MODERN) return render(kubectl, ROOT, folders);
  const copy = mkdtempSync(path.join(tmpdir(), 'dmr-kustomize-'));
  try {
    for (const folder of FOLDERS) {
      cpSync(path.join(ROOT, folder), path.join(copy, folder), { recursive: true });
      inOldWords(path.join(copy, folder));
    }
    return await render(kubectl, copy, folders);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function render(kubectl: string, root: string, folders: readonly string[]): Promise<string[]> {
  return Promise.all(folders.map((folder) => run(kubectl, ['kustomize', path.join(root, folder)])));
}

async function minorVersion(kubectl: string): Promise<number> {
  const text = await run(kubectl, ['version', '--client', '-o', 'json']);
  const { clientVersion } = JSON.parse(text) as { clientVersion: { minor: string } };
  return Number.parseInt(clientVersion.minor, 10);
}

async function run(kubectl: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand([kubectl, ...args], { env: process.env, timeoutMs: 20_000 });
  if (code !== 0) throw new Error(`"${kubectl} ${args.join(' ')}" ended with ${code}:\n${stderr}`);
  return stdout;
}

/** kustomize 2.0 takes folders as `bases` alone, and patches under another name. */
function inOldWords(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) inOldWords(path.join(folder, entry.name));
  }
  const file = path.join(folder, 'kustomization.yaml');
  if (!existsSync(file)) return;
  const { resources = [], patches = [], ...rest } = parse(readFileSync(file, 'utf8')) as Kustomization;
  const isFolder = (name: string) => !name.endsWith('.yaml') || statSync(path.join(folder, name)).isDirectory();
  const old: Kustomization = {
    ...rest,
    bases: resources.filter(isFolder),
    resources: resources.filter((name) => !isFolder(name)),
    patchesStrategicMerge: patches.map((patch) => patch.path),
  };
  writeFileSync(file, stringify(old));
}
