import { belongTogether } from './formats';
import type { RoleValues, VariableRole } from './variables';

/** Values that are right one by one and wrong together. */
export interface Contradiction<R extends VariableRole> {
  /** The variable that is blamed. */
  readonly variable: keyof RoleValues<R> & string;
  /** Completes the sentence "NAME: wants …". */
  readonly wants: string;
  /** The variable whose value is the limit, to show it. */
  readonly limit?: keyof RoleValues<R> & string;
  found(values: RoleValues<R>): boolean;
}

type Contradictions = { readonly [R in VariableRole]?: readonly Contradiction<R>[] };

const NO_STAND_IN = 'false where ENVIRONMENT is production';
const NOT_PRODUCTION = 'development: the stand-ins answer for others and never run in production';

/** The pauses double from the first to the longest; see backoffMs. */
function longestDeliveryMs(v: RoleValues<'server'>): number {
  let total = v.MESSAGE_DELIVERY_TIMEOUT_MS * v.MESSAGE_DELIVERY_MAX_TRIES;
  for (let pause = 1; pause < v.MESSAGE_DELIVERY_MAX_TRIES && total < 2 ** 31; pause++) {
    total += Math.min(v.MESSAGE_RETRY_DELAY_MAX_MS, v.MESSAGE_RETRY_DELAY_MS * 2 ** Math.min(pause - 1, 30));
  }
  return total;
}

/** Wrong in every role. */
const UNVERIFIED = {
  variable: 'NODE_TLS_REJECT_UNAUTHORIZED',
  wants: 'to be absent or 1 where ENVIRONMENT is production: 0 makes every TLS connection trust anybody',
  found: (v: Pick<RoleValues<'mesh'>, 'ENVIRONMENT' | 'NODE_TLS_REJECT_UNAUTHORIZED'>) =>
    v.ENVIRONMENT === 'production' && v.NODE_TLS_REJECT_UNAUTHORIZED === '0',
} as const;

/** Wrong in every role that has metrics. */
const SAME_PORT = {
  variable: 'METRICS_PORT',
  wants: 'another port than PORT',
  limit: 'PORT',
  found: (v: Pick<RoleValues<'server'>, 'PORT' | 'METRICS_PORT'>) => v.METRICS_PORT === v.PORT && v.PORT !== 0,
} as const;

type CentOpsLogin = Pick<RoleValues<'server'>, 'CENTOPS_CONFIGURATION_API_KEY' | 'CENTOPS_CONFIGURATION_API_SECRET'>;

/** Wrong wherever CentOps is asked. */
const CENTOPS_LOGIN = [
  {
    variable: 'CENTOPS_CONFIGURATION_API_SECRET',
    wants: 'an API secret, as CENTOPS_CONFIGURATION_API_KEY is set',
    found: (v: CentOpsLogin) =>
      v.CENTOPS_CONFIGURATION_API_KEY !== undefined && v.CENTOPS_CONFIGURATION_API_SECRET === undefined,
  },
  {
    variable: 'CENTOPS_CONFIGURATION_API_KEY',
    wants: 'an API key, as CENTOPS_CONFIGURATION_API_SECRET is set',
    found: (v: CentOpsLogin) =>
      v.CENTOPS_CONFIGURATION_API_KEY === undefined && v.CENTOPS_CONFIGURATION_API_SECRET !== undefined,
  },
] as const;

/** Wrong in every role that traces. */
const COLLECTOR_KEY = {
  variable: 'OTEL_EXPORTER_OTLP_CLIENT_KEY',
  wants: 'the private key of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, and both or neither',
  found: ({
    OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: cert,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: key,
  }: Pick<RoleValues<'server'>, 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE' | 'OTEL_EXPORTER_OTLP_CLIENT_KEY'>) =>
    cert === undefined || key === undefined ? cert !== key : !belongTogether(cert, key),
} as const;

const MESH: readonly Contradiction<'mesh'>[] = [
  UNVERIFIED,
  {
    variable: 'RABBITMQ_DEFAULT_TLS_KEY_FILE',
    wants: 'the private key of RABBITMQ_DEFAULT_TLS_CERT_FILE, and both or neither',
    found: ({ RABBITMQ_DEFAULT_TLS_CERT_FILE: cert, RABBITMQ_DEFAULT_TLS_KEY_FILE: key }) =>
      cert !== undefined && (key === undefined || !belongTogether(cert, key)),
  },
  {
    variable: 'RABBITMQ_DEFAULT_TLS_CERT_FILE',
    wants: 'the certificate of RABBITMQ_DEFAULT_TLS_KEY_FILE, and both or neither',
    found: (v) => v.RABBITMQ_DEFAULT_TLS_CERT_FILE === undefined && v.RABBITMQ_DEFAULT_TLS_KEY_FILE !== undefined,
  },
  {
    variable: 'RABBITMQ_DEFAULT_TLS',
    wants: 'true where RABBITMQ_DEFAULT_TLS_CERT_FILE is set',
    found: (v) => !v.RABBITMQ_DEFAULT_TLS && v.RABBITMQ_DEFAULT_TLS_CERT_FILE !== undefined,
  },
];

/** Every contradiction that ends the load, by role. */
export const CONTRADICTIONS: Contradictions = {
  server: [
    ...MESH,
    SAME_PORT,
    COLLECTOR_KEY,
    ...CENTOPS_LOGIN,
    {
      variable: 'MESSAGE_RETRY_DELAY_MS',
      wants: 'at most MESSAGE_RETRY_DELAY_MAX_MS',
      limit: 'MESSAGE_RETRY_DELAY_MAX_MS',
      found: (v) => v.MESSAGE_RETRY_DELAY_MS > v.MESSAGE_RETRY_DELAY_MAX_MS,
    },
    {
      variable: 'MESSAGE_DELIVERY_MAX_TRIES',
      wants: 'all tries with their pauses to end within 25 minutes: RabbitMQ takes the channel away after 30',
      found: (v) => longestDeliveryMs(v) > 25 * 60_000,
    },
    {
      variable: 'MSW_ENABLED',
      wants: NO_STAND_IN,
      found: (v) => v.MSW_ENABLED && v.ENVIRONMENT === 'production',
    },
  ],
  mesh: MESH,
  keys: [UNVERIFIED, ...CENTOPS_LOGIN],
  agent: [
    UNVERIFIED,
    SAME_PORT,
    COLLECTOR_KEY,
    {
      variable: 'WEBSOCKET_RECONNECTION_DELAY',
      wants: 'at most WEBSOCKET_RECONNECTION_DELAY_MAX',
      limit: 'WEBSOCKET_RECONNECTION_DELAY_MAX',
      found: (v) => v.WEBSOCKET_RECONNECTION_DELAY > v.WEBSOCKET_RECONNECTION_DELAY_MAX,
    },
  ],
  centops: [
    UNVERIFIED,
    { variable: 'MSW_ENABLED', wants: NO_STAND_IN, found: (v) => v.MSW_ENABLED && v.ENVIRONMENT === 'production' },
    { variable: 'ENVIRONMENT', wants: NOT_PRODUCTION, found: (v) => v.ENVIRONMENT === 'production' },
    {
      variable: 'MOCK_DMR_AGENT_B_ID',
      wants: 'another UUID than MOCK_DMR_AGENT_A_ID',
      found: (v) => v.MOCK_DMR_AGENT_A_ID.toLowerCase() === v.MOCK_DMR_AGENT_B_ID.toLowerCase(),
    },
  ],
  chatbot: [
    UNVERIFIED,
    { variable: 'ENVIRONMENT', wants: NOT_PRODUCTION, found: (v) => v.ENVIRONMENT === 'production' },
  ],
};
