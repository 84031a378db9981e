import { createServer } from 'node:net';
import { freePorts } from '../lib/broker/free-ports';

/** Where the processes of the demo listen, all on 127.0.0.1. */
export interface DemoPorts {
  server: number;
  taxOfficeAgent: number;
  policeAgent: number;
  taxOfficeChatbot: number;
  policeChatbot: number;
  centOps: number;
}

/** The ports that the documentation names where they are free, any free one for the rest. */
export async function demoPorts(): Promise<DemoPorts> {
  const wanted = [8072, 8073, 8074, 8075, 8076];
  const spare = await freePorts(6);
  const ports = await Promise.all(spare.map((port, i) => portOr(wanted[i] ?? port, port)));
  const [server, taxOfficeAgent, policeAgent, taxOfficeChatbot, policeChatbot, centOps] = ports as SixPorts;
  return { server, taxOfficeAgent, policeAgent, taxOfficeChatbot, policeChatbot, centOps };
}

type SixPorts = [number, number, number, number, number, number];

function portOr(wanted: number, otherwise: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(otherwise));
    server.listen(wanted, '127.0.0.1', () => server.close(() => resolve(wanted)));
  });
}
