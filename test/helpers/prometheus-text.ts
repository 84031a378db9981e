/** One line of `/metrics`. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** What stands under one `# TYPE`. */
export interface Family {
  type: string;
  samples: Sample[];
}

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/y;
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s;
const NUMBER = /^([+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?Inf|NaN)$/i;
const UNESCAPED: Record<string, string> = { '\\n': '\n', '\\"': '"', '\\\\': '\\' };

/**
 * What was read in the Prometheus text format, version 0.0.4, by family. Throws for what is not of that format, and for
 * families and series that occur twice.
 */
export class Exposition {
  readonly families = new Map<string, Family>();
  private readonly keys = new Set<string>();

  constructor(text: string) {
    let current: Family | undefined;
    for (const line of text.split('\n')) {
      const [, name, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (name && type) {
        if (this.families.has(name)) throw new Error(`The family ${name} occurs twice`);
        this.families.set(name, (current = { type, samples: [] }));
      } else if (line.trim() !== '' && !line.startsWith('#')) {
        if (!current) throw new Error(`A sample without a type: ${line}`);
        current.samples.push(this.sampleOf(line));
      }
    }
  }

  /** Reads what a node shows. */
  static async of(node: { url: string }): Promise<Exposition> {
    const response = await fetch(`${node.url}/metrics`);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${node.url} has no metrics: ${response.status} ${text}`);
    return new Exposition(text);
  }

  /** How many series there are. */
  get size(): number {
    return this.keys.size;
  }

  /** `name{label="value"}` of each series of ours, sorted. */
  series(): string[] {
    return [...this.keys].filter((key) => key.startsWith('dmr_')).sort();
  }

  samples(name: string): Sample[] {
    const family = this.families.get(name) ?? this.families.get(name.replace(/_(bucket|sum|count)$/, ''));
    return family?.samples.filter((sample) => sample.name === name) ?? [];
  }

  /** The value of the series with exactly these labels; undefined where there is none. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    const wanted = keyOf(name, labels);
    return this.samples(name).find((sample) => keyOf(sample.name, sample.labels) === wanted)?.value;
  }

  private sampleOf(line: string): Sample {
    const [, name = '', inside = '', value] = LINE.exec(line) ?? [];
    if (!name || value === undefined || !NUMBER.test(value)) throw new Error(`Not a sample: ${line}`);
    const labels = labelsOf(inside);
    const key = keyOf(name, labels);
    if (this.keys.has(key)) throw new Error(`The series ${key} occurs twice`);
    this.keys.add(key);
    return { name, labels, value: Number(value) };
  }
}

function labelsOf(inside: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < inside.length) {
    const [, name = '', value = ''] = LABEL.exec(inside) ?? [];
    if (!name) throw new Error(`Not labels: ${inside}`);
    labels[name] = value.replace(/\\["\\n]/g, (escaped) => UNESCAPED[escaped] ?? '');
    if (inside[LABEL.lastIndex] === ',') LABEL.lastIndex += 1;
  }
  return labels;
}

function keyOf(name: string, labels: Record<string, string>): string {
  const inside = Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return inside.length > 0 ? `${name}{${inside.join(',')}}` : name;
}
