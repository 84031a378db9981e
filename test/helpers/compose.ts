import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, parseDocument } from 'yaml';

const ROOT = path.join(__dirname, '../..');

/** A service as our docker-compose.yml has it: the long or the short form that ours uses, not all that Compose takes. */
export interface ComposeService {
  image: string;
  build?: { context: string; target: string };
  command?: string[];
  environment?: Record<string, string>;
  depends_on?: Record<string, { condition: string; required?: boolean }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  volumes?: string[];
  ports?: string[];
  profiles?: string[];
  networks?: string[];
  [more: string]: unknown;
}

/** All of docker-compose.yml. */
export interface Compose {
  services: Record<string, ComposeService>;
  volumes: Record<string, unknown>;
  networks: Record<string, unknown>;
}

/** Our docker-compose.yml with anchors merged and `${NAME:-default}` filled in from `variables`. */
export function readCompose(variables: Record<string, string> = {}): Compose {
  const text = readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8');
  const filled = text.replaceAll(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, otherwise?: string) => {
    const value = variables[name] ?? otherwise;
    if (value === undefined) throw new Error(`docker-compose.yml takes ${name}, which has no default`);
    return value;
  });
  const { errors } = parseDocument(filled, { merge: true });
  if (errors[0]) throw errors[0];
  return parse(filled, { merge: true }) as Compose;
}

/** The variables of an `--env-file` in `docker/`. */
export function envFileOf(name: string): Record<string, string> {
  const lines = readFileSync(path.join(ROOT, 'docker', name), 'utf8').split('\n');
  return Object.fromEntries(
    lines.flatMap((line) => (/^\w+=/.test(line) ? [line.split(/=(.*)/s) as [string, string]] : [])),
  );
}

/** The target of the Dockerfile that a service's image is made from, by whichever service; undefined for a foreign image. */
export function targetOf({ image }: ComposeService, { services }: Compose): string | undefined {
  return Object.values(services).find((service) => service.build && service.image === image)?.build?.target;
}

/** Every service that is started when this one is: what it needs, and what that needs. */
export function neededBy(name: string, { services }: Compose): Set<string> {
  const found = new Set<string>();
  const follow = (one: string) => {
    for (const [other, { required = true }] of Object.entries(services[one]?.depends_on ?? {})) {
      if (!required || found.has(other)) continue;
      found.add(other);
      follow(other);
    }
  };
  follow(name);
  return found;
}

/** The files and folders of the project that services are given. */
export function mountedFiles({ services }: Compose): string[] {
  const all = Object.values(services).flatMap(({ volumes = [] }) =>
    volumes.map((mount) => mount.split(':')[0] as string),
  );
  return all.filter((source) => source.startsWith('./'));
}

/** Whether there is such a path in the project. */
export function isInProject(file: string): boolean {
  return existsSync(path.join(ROOT, file));
}
