import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');

/** One instruction; what belongs together over several lines is one. */
export interface Instruction {
  name: string;
  text: string;
}

/** A stage by its name, with what it begins from. */
export interface Stage {
  name: string;
  from: string;
  instructions: Instruction[];
}

/** What a finished stage would be started with. */
export interface Image {
  /** Folder that stands for `/`. */
  root: string;
  env: Record<string, string>;
  user: string;
  workdir: string;
  cmd: string[];
  healthcheck: string[];
}

/** The stages of our Dockerfile; reads the form that ours has, not all of Dockerfiles. */
export function stagesOf(text: string): Stage[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  const stages: Stage[] = [];
  for (const line of lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean)) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    const [, from, stage] = /^(\S+) AS (\S+)$/.exec(rest) ?? [];
    if (name === 'FROM' && from && stage) stages.push({ name: stage, from, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, text: rest });
  }
  return stages;
}

/** Whether a path of the project goes to the builder: the last rule that fits it or a folder above it decides. */
export function isInContext(file: string, dockerignore: string): boolean {
  const rules = dockerignore.split('\n').filter((line) => line && !line.startsWith('#'));
  const paths = file.split('/').map((_, index, all) => all.slice(0, index + 1).join('/'));
  const fits = (pattern: string) => {
    const source = pattern
      .replaceAll('.', '\\.')
      .replaceAll('**/', '§')
      .replaceAll('*', '[^/]*')
      .replaceAll('§', '(.*/)?');
    return paths.some((each) => new RegExp(`^${source}$`).test(each));
  };
  const deciding = rules.findLast((rule) => fits(rule.replace(/^!/, '')));
  return !deciding || deciding.startsWith('!');
}

/** Carries out the steps of stages in folders instead of containers: COPY by .dockerignore, RUN by a shell. */
export class Builder {
  private readonly stages: Stage[];
  private readonly ignore = readFileSync(path.join(ROOT, '.dockerignore'), 'utf8');
  private readonly built = new Map<string, Image>();

  constructor(private readonly dir: string) {
    this.stages = stagesOf(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'));
    // Only root may give files away, and who runs the tests need not be root.
    mkdirSync(path.join(dir, 'bin'));
    writeFileSync(path.join(dir, 'bin/chown'), '#!/bin/sh\n');
    chmodSync(path.join(dir, 'bin/chown'), 0o755);
  }

  build(name: string): Image {
    const known = this.built.get(name);
    if (known) return known;
    const stage = this.stages.find((each) => each.name === name);
    if (!stage) throw new Error(`The Dockerfile has no stage ${name}`);
    const image = this.begin(stage);
    for (const instruction of stage.instructions) this.carryOut(instruction, image);
    this.built.set(name, image);
    return image;
  }

  private begin({ name, from }: Stage): Image {
    const root = path.join(this.dir, name);
    const base = this.stages.some((stage) => stage.name === from) ? this.build(from) : undefined;
    if (base) link(base.root, root);
    else mkdirSync(root);
    const bare = { env: {}, user: '0:0', workdir: '/', cmd: [], healthcheck: [] };
    return { ...bare, ...base, env: { ...base?.env }, root };
  }

  private carryOut({ name, text }: Instruction, image: Image): void {
    if (name === 'ENV') Object.assign(image.env, pairs(text));
    else if (name === 'USER') image.user = text;
    else if (name === 'WORKDIR') mkdirSync(path.join(image.root, (image.workdir = text)), { recursive: true });
    else if (name === 'CMD') image.cmd = JSON.parse(text) as string[];
    else if (name === 'HEALTHCHECK') image.healthcheck = JSON.parse(text.replace(/^.*?CMD /, '')) as string[];
    else if (name === 'COPY') this.copy(text.split(' '), image);
    else if (name === 'RUN') this.run(text, image);
    else if (name !== 'EXPOSE' && name !== 'VOLUME') throw new Error(`The Dockerfile uses ${name}, unknown here`);
  }

  private copy(words: string[], { root, workdir }: Image): void {
    const stage = /^--from=(.*)$/.exec(words[0] ?? '')?.[1];
    const [sources, to] = [words.slice(stage ? 1 : 0, -1), words.at(-1) as string];
    const target = path.resolve(root + workdir, to);
    for (const source of sources) {
      const from = stage ? this.build(stage).root + source : path.join(ROOT, source);
      if (!existsSync(from)) throw new Error(`COPY: there is no ${source}`);
      const into = to.endsWith('/') ? path.join(target, path.basename(source)) : target;
      mkdirSync(path.dirname(into), { recursive: true });
      if (stage) link(from, into);
      else
        cpSync(from, into, { recursive: true, filter: (file) => isInContext(path.relative(ROOT, file), this.ignore) });
      if (!existsSync(into)) throw new Error(`COPY: .dockerignore keeps ${source} from the builder`);
    }
  }

  private run(text: string, { root, workdir, env }: Image): void {
    // What it would install is here already, by the same lock file: half a minute less.
    if (text.startsWith('npm ci --include=dev '))
      return link(path.join(ROOT, 'node_modules'), `${root}${workdir}/node_modules`);
    const command = text.replaceAll(/(?<=[\s"])\/(?=[a-z])/g, `${root}/`);
    const { PATH, HOME } = process.env;
    // What npm has in its cache it need not fetch, and a token of the caller's may be what opens the registry.
    const npm = Object.entries(process.env).filter(([name]) => /^npm_config_(registry|cache|userconfig)$/i.test(name));
    execFileSync('sh', ['-ec', command], {
      cwd: root + workdir,
      env: {
        ...Object.fromEntries(npm),
        HOME,
        ...env,
        PATH: `${this.dir}/bin:${PATH}`,
        npm_config_prefer_offline: 'true',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }
}

/** Hard links: stages share thousands of files that nobody changes. */
function link(from: string, to: string): void {
  execFileSync('cp', ['-al', from, to]);
}

function pairs(text: string): Record<string, string> {
  const found = text.matchAll(/(\w+)=(?:"([^"]*)"|(\S+))/g);
  return Object.fromEntries([...found].map(([, name, quoted, plain]) => [name as string, quoted ?? plain ?? '']));
}

/** What the images of our Dockerfile are started with, without building them. */
export function imagesOf(): Record<string, Pick<Image, 'env' | 'cmd'>> {
  const images: Record<string, Pick<Image, 'env' | 'cmd'>> = {};
  for (const { name, from, instructions } of stagesOf(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8'))) {
    const texts = (wanted: string) => instructions.flatMap((each) => (each.name === wanted ? each.text : []));
    const env = Object.assign({ ...images[from]?.env }, ...texts('ENV').map(pairs)) as Record<string, string>;
    const cmd =
      texts('CMD')
        .map((text) => JSON.parse(text) as string[])
        .at(-1) ??
      images[from]?.cmd ??
      [];
    images[name] = { env, cmd };
  }
  return images;
}
