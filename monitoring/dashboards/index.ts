import { agent } from './agent';
import { mesh } from './mesh';
import { organisation } from './organisation';
import { rabbitmq } from './rabbitmq';

/** Every dashboard, by the name of its file. */
export const DASHBOARDS = { mesh, agent, organisation, rabbitmq };
