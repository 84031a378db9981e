/** What every node of ours has: how it logs and in which environment it runs. */
export interface NodeConfig {
  /** `production` for anything deployed; the stand-ins of `services/dev` refuse to load in it. */
  environment: 'development' | 'production';
  logger: LoggerConfig;
}

export interface LoggerConfig {
  colors: boolean;
  /** The most talkative of LOGGER_LOG_LEVELS, in Moleculer's words. */
  level: 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** `json`: one object per line, for collectors; `pretty`: for people; `auto`: for people on a terminal, else for collectors. */
  format: 'auto' | 'json' | 'pretty';
}

/** Where spans go, and which. */
export interface TracingConfig {
  /** Of the collector, its path included. */
  url: string;
  headers: Record<string, string>;
  compression: 'none' | 'gzip';
  /** PEM; where there is none, the authorities that Node.js knows, and no certificate of our own. */
  tls: { ca: string | undefined; cert: string | undefined; key: string | undefined };
  /** How long one batch is tried, ms. */
  timeoutMs: number;
  /** Pause between two batches, ms. */
  intervalMs: number;
  /** Part of the traces that begin here, 0 to 1. */
  ratio: number;
  serviceName: string;
}

/** Where a node of RabbitMQ answers. */
export interface AmqpHost {
  host: string;
  port: number;
}

/** Where RabbitMQ is and how long a lost connection may stay lost between two attempts. */
export interface AmqpConfig {
  /** Nodes of one cluster, tried in turn; at least one. */
  hosts: AmqpHost[];
  user: string;
  password: string;
  vhost: string;
  /** Interval of the heartbeat, s; a silent connection is given up after two to three of them. */
  heartbeatS: number;
  /** There when connections are encrypted; with a certificate and its key, both PEM, when we prove who we are. */
  tls: { cert?: string; key?: string } | undefined;
  /** Upper bound of the back-off between two connection attempts, ms. */
  reconnectMaxMs: number;
}

/** Lifetimes of messages in the queues, ms. */
export interface QueueTtlConfig {
  agentTtlMs: number;
  dlqTtlMs: number;
  validationFailuresTtlMs: number;
}

/** How a message goes down to an agent: wait for its ack, back-off and number of tries, bound in flight. */
export interface DeliveryConfig {
  /** Wait for the ack of one try, ms. */
  ackTimeoutMs: number;
  /** Tries before the message is dead-lettered. */
  maxTries: number;
  /** Wait after the first failed try, ms; doubles with each try. */
  retryDelayMs: number;
  /** Upper bound of that wait, ms. */
  retryDelayMaxMs: number;
  /** Messages on their way to one agent at the same time (AMQP prefetch). */
  prefetch: number;
}

/** What one agent may ask of a server node. */
export interface LimitsConfig {
  /** Messages up a second; 0 for no limit. */
  perSecond: number;
  /** Messages up that wait for their confirm at the same time. */
  inFlight: number;
  /** The same of all agents of the node together. */
  nodeInFlight: number;
  /** Largest envelope. */
  messageBytes: number;
  /** Refused messages a second that are kept in validation-failures. */
  failuresPerSecond: number;
}

export interface CentOpsConfig {
  url: string;
  /** Cron pattern with 5 or 6 fields. */
  cron: string;
  /** How long an agent must be missing in every answer before it counts as gone, ms; 0: at once. */
  removeAfterMs: number;
  /** Both or neither: the paged form of CentOps wants them. */
  apiKey?: string;
  apiSecret?: string;
}

export interface ServerConfig extends NodeConfig {
  /** Undefined where nothing is traced. */
  tracing: TracingConfig | undefined;
  /** HTTP and WebSocket port; 0 takes any free one. */
  port: number;
  /** Port for metrics and health alone, where `/metrics` is not on the other one. */
  metricsPort?: number;
  socket: {
    namespace: string;
    /** Connection state recovery, ms. */
    maxDisconnectionMs: number;
    /** A token is accepted until its `iat` plus this, ms. */
    tokenMaxAgeMs: number;
    /** Pause between the agent list and the first message down, ms. */
    listGraceMs: number;
    /** Heartbeats of each socket, and the wait for their answer, ms. */
    pingIntervalMs: number;
    pingTimeoutMs: number;
    /** A connection without a login is closed after this, ms. */
    loginTimeoutMs: number;
    /** Connections without a login at the same time. */
    maxStrangers: number;
    /** A node that leaves waits this long at the most for what is under way, ms. */
    drainTimeoutMs: number;
  };
  limits: LimitsConfig;
  amqp: AmqpConfig;
  ttl: QueueTtlConfig;
  delivery: DeliveryConfig;
  /** Deadline for the broker's confirm of one accepted message, ms. */
  confirmTimeoutMs: number;
  centOps: CentOpsConfig;
  /** An agent that left CentOps keeps its queues this long, ms. */
  retireAfterMs: number;
  /** Interval between two counts of the queues, ms. */
  dlqMonitorIntervalMs: number;
  /** Messages of which a node remembers what happened to them. */
  trailSize: number;
}

export interface AgentConfig extends NodeConfig {
  /** Undefined where nothing is traced. */
  tracing: TracingConfig | undefined;
  /** REST port; 0 takes any free one. */
  port: number;
  /** As that of a server node. */
  metricsPort?: number;
  /** Whether `/v1/docs` is served. */
  apiDocs: boolean;
  agentId: string;
  /** RSA private key, PEM (PKCS#8 or PKCS#1) with real line breaks; checked at start. */
  privateKeyPem: string;
  /** The key before it, in the same form, while the agent changes its key. */
  previousPrivateKeyPem?: string;
  /** How long a key that another agent changed still verifies, ms; 0: not at all. */
  keyOverlapMs: number;
  /** Absolute path of the folder for what the agent must not forget; each agent has a sub-folder of its own. */
  dataDir: string;
  uplink: {
    /** Servers, without the namespace; tried in turn. */
    urls: string[];
    namespace: string;
    reconnectDelayMs: number;
    reconnectDelayMaxMs: number;
  };
  /** Until the server's ack of a message, ms, waits for the uplink included. */
  deliveryTimeoutMs: number;
  /** What is stored and forwarded: how many messages may wait for the server, and for how long, ms. */
  outbox: { maxMessages: number; maxAgeMs: number };
  chatbot: {
    /** Where opened messages are posted. */
    endpoint: string;
    /** Wait for the chatbot's answer, ms. */
    timeoutMs: number;
    /** How long a message that it does not take is tried again, counted from its arrival, ms. */
    retryMs: number;
  };
  /** How long the id of a received message is remembered, ms. */
  duplicateWindowMs: number;
  /** `require` refuses a seal without the claims that bind it to its envelope; `prefer` checks them when present. */
  messageBinding: 'prefer' | 'require';
}

/** What it takes to check whether an agent's key is the one that is listed; where the list is, as far as that is known. */
export interface KeyCheckConfig {
  agentId: string;
  /** As that of an agent. */
  privateKeyPem: string;
  centOps: Pick<CentOpsConfig, 'url' | 'apiKey' | 'apiSecret'> | undefined;
  uplink: AgentConfig['uplink'] | undefined;
}

/** The stand-in of CentOps: two agents, named as in the deployed stand-in. */
export interface CentOpsStandInConfig extends NodeConfig {
  port: number;
  agents: { id: string; name: string; publicKeyPem: string }[];
}

/** The stand-in of a chatbot: answers what it is asked through its agent's REST. */
export interface ChatbotStandInConfig extends NodeConfig {
  port: number;
  name: string;
  /** Base URL of the chatbot's own agent. */
  agentUrl: string;
}
