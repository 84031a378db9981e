import { isIPv6 } from 'node:net';
import type { Rule } from './rules';

/** A host, and its port when it names one. */
export interface HostEntry {
  host: string;
  port?: number;
}

/** Hosts with commas between, each as `host` or `host:port`; an IPv6 address with a port is in brackets. */
export function hostList(): Rule<HostEntry[]> {
  return {
    wants: 'a comma-separated list of host names or IP addresses, each with or without :port',
    parse(text) {
      const entries = text.split(',').map((part) => hostEntry(part.trim()));
      return entries.every((entry) => entry !== undefined) ? entries : undefined;
    },
  };
}

function hostEntry(text: string): HostEntry | undefined {
  if (isIPv6(text)) return { host: text };
  const match = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^\s/@:[\]?#]+))(?::(?<port>\d{1,5}))?$/.exec(text);
  const { ipv6, name, port } = match?.groups ?? {};
  const host = name ?? (ipv6 && isIPv6(ipv6) ? ipv6 : undefined);
  if (host === undefined || (port !== undefined && !isPort(Number(port)))) return undefined;
  return port === undefined ? { host } : { host, port: Number(port) };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65535;
}
