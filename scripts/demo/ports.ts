import { createServer } from 'node:net';
import { freePorts } from '../lib/broker/free-ports';

/** Where the processes of the demo listen, all on 127.0.0.1. */
export interface DemoPorts {
  server: number;
  taxOfficeAgent: number;
  policeAgent: number;
  centOps: number;
  taxOfficeChatbot: number;
  policeChatbot: number;
}

/** The ports that the documentation names where they are free, any free one for the rest. */
export async function demoPorts(): Promise<DemoPorts> {
  const [first, second, third, centOps, taxOfficeChatbot, policeChatbot] = (await freePorts(6)) as SixPorts;
  return {
    server: await portOr(8072, first),
    taxOfficeAgent: await portOr(8073, second),
    policeAgent: await portOr(8074, third),
    centOps,
    taxOfficeChatbot,
    policeChatbot,
  };
}

type SixPorts = [number, number, number, number, number, number];

function portOr(wanted: number, otherwise: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(otherwise));
    server.listen(wanted, '127.0.0.1', () => server.close(() => resolve(wanted)));
  });
}
