import type { ServerResponse, IncomingMessage } from 'node:http';
import type { ServiceSchema } from 'moleculer';
import { centOpsStandInConfig, type CentOpsStandInConfig } from '../../lib/config';
import { sendJson } from '../../lib/http/operations-route';
import { httpMixin } from '../../mixins/http.mixin';

/** Stands in for CentOps: lists two agents in the flat shape at `GET /agents`. Never part of a deployment. */
export function centOpsStandIn(config: CentOpsStandInConfig): ServiceSchema {
  const now = new Date().toISOString();
  const response = config.agents.map(({ id, name, publicKeyPem }) => ({
    id,
    name,
    authentication_certificate: publicKeyPem,
    created_at: now,
    updated_at: now,
  }));
  return {
    name: 'centops',
    mixins: [httpMixin],
    settings: {
      port: config.port,
      routes: [
        {
          path: '/',
          mappingPolicy: 'restrict',
          aliases: {
            'GET /agents': (_request: IncomingMessage, answer: ServerResponse) => sendJson(answer, 200, { response }),
          },
        },
      ],
    },
  };
}

export default () => centOpsStandIn(centOpsStandInConfig());
