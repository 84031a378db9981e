import type { AmqpAccess, ProvidedBroker } from '../lib/broker/types';
import type { AgentKey } from './agent-key';
import type { NodeSpec } from './node-process';
import type { DemoPorts } from './ports';

/** One organisation of the demo. */
export interface Organisation {
  name: string;
  /** Of its agent; the documentation names those of the demo. */
  id: string;
  key: AgentKey;
  /** Base URL of its agent. */
  agentUrl: string;
  /** Base URL of its chatbot. */
  chatbotUrl: string;
}

const HOST = '127.0.0.1';
const RECONNECT_MS = { WEBSOCKET_RECONNECTION_DELAY: '100', WEBSOCKET_RECONNECTION_DELAY_MAX: '1000' };

/** What every process of the demo is told, and nothing of the caller's that could change how it behaves. */
function baseEnv(caller: NodeJS.ProcessEnv): Record<string, string> {
  const passed = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'].flatMap((name) => (caller[name] ? [name] : []));
  return {
    ...Object.fromEntries(passed.map((name) => [name, caller[name] as string])),
    ENVIRONMENT: 'development',
    LOGGER_FORMAT: 'json',
    LOGGER_LOG_LEVELS: 'error,warn,log,debug',
    LOGGER_COLORS: 'false',
    IP: HOST, // read by moleculer-web: nothing of the demo listens to other machines
  };
}

/** The variables by which a node joins the mesh. */
export function brokerEnv(broker: AmqpAccess & Pick<ProvidedBroker, 'managementUrl'>): Record<string, string> {
  return {
    RABBITMQ_DEFAULT_HOST: broker.host,
    RABBITMQ_DEFAULT_PORT: String(broker.port),
    RABBITMQ_DEFAULT_USER: broker.user,
    RABBITMQ_DEFAULT_PASS: broker.password,
    RABBITMQ_DEFAULT_VHOST: broker.vhost,
    ...(broker.managementUrl && { RABBITMQ_DEFAULT_MANAGEMENT_UI_URI: broker.managementUrl }),
  };
}

/** Every process of the demo: what it runs, what it is told, and where it says that it is ready. */
export class DemoPlan {
  readonly taxOffice: Organisation;
  readonly police: Organisation;
  readonly serverUrl: string;
  private readonly env: Record<string, string>;

  constructor(
    private readonly ports: DemoPorts,
    keys: { taxOffice: AgentKey; police: AgentKey },
    caller: NodeJS.ProcessEnv,
    /** What the agents must not forget is kept here between two runs. */
    private readonly agentDataDir: string,
  ) {
    this.env = baseEnv(caller);
    this.serverUrl = at(ports.server);
    this.taxOffice = {
      name: 'Tax Office',
      id: '2e7b9f64-0c1d-4a8e-b5d3-91f0c6a4e827',
      key: keys.taxOffice,
      agentUrl: at(ports.taxOfficeAgent),
      chatbotUrl: at(ports.taxOfficeChatbot),
    };
    this.police = {
      name: 'Police',
      id: '8d3c0a51-6a2e-4d0b-9f63-2b1e5c7a9d10',
      key: keys.police,
      agentUrl: at(ports.policeAgent),
      chatbotUrl: at(ports.policeChatbot),
    };
  }

  /** What stands in for systems out of scope. */
  get standIns(): NodeSpec[] {
    return [this.centOps(), this.chatbot(this.taxOffice), this.chatbot(this.police)];
  }

  server(broker: Record<string, string>): NodeSpec {
    const centOpsUrl = `${at(this.ports.centOps)}/agents`;
    return this.node('server', 'server', 'dist/services/server', `${this.serverUrl}/v1/health`, {
      CENTOPS_CONFIGURATION_URL: centOpsUrl,
      MSW_ENABLED: 'true',
      ...broker,
    });
  }

  get agents(): NodeSpec[] {
    return [this.taxOffice, this.police].map(({ name, id, key, agentUrl, chatbotUrl }) =>
      this.node('agent', `${name} agent`, 'dist/services/agent', `${agentUrl}/v1/health`, {
        AGENT_ID: id,
        AGENT_PRIVATE_KEY: key.privatePem,
        AGENT_DATA_DIR: this.agentDataDir,
        DMR_SERVER_WEBSOCKET_URL: this.serverUrl,
        OUTGOING_MESSAGE_ENDPOINT: `${chatbotUrl}/messages`,
        ...RECONNECT_MS, // all start at once, so the server may be a moment late
      }),
    );
  }

  private centOps(): NodeSpec {
    const url = `${at(this.ports.centOps)}/agents`;
    return this.node('centops', 'CentOps', 'dist/services/dev/centops.service.js', url, {
      MSW_ENABLED: 'true',
      MOCK_DMR_AGENT_A_ID: this.police.id,
      MOCK_DMR_AGENT_A_NAME: this.police.name,
      MOCK_DMR_AGENT_A_PUBLIC_KEY: this.police.key.publicPem,
      MOCK_DMR_AGENT_B_ID: this.taxOffice.id,
      MOCK_DMR_AGENT_B_NAME: this.taxOffice.name,
      MOCK_DMR_AGENT_B_PUBLIC_KEY: this.taxOffice.key.publicPem,
    });
  }

  private chatbot({ name, agentUrl, chatbotUrl }: Organisation): NodeSpec {
    const readyUrl = `${chatbotUrl}/conversations/none`;
    return this.node('chatbot', `${name} chatbot`, 'dist/services/dev/chatbot.service.js', readyUrl, {
      CHATBOT_NAME: name,
      CHATBOT_AGENT_URL: agentUrl,
    });
  }

  private node(role: string, title: string, services: string, readyUrl: string, env: Record<string, string>): NodeSpec {
    const { port } = new URL(readyUrl);
    return { title, services, readyUrl, env: { ...this.env, DMR_ROLE: role, PORT: port, ...env } };
  }
}

const at = (port: number) => `http://${HOST}:${port}`;
