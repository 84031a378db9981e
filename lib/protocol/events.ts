/** Socket.IO events between agent and server; see docs/protocol.md. */
export const FULL_LIST = 'dmr:agents:full-list';
export const PARTIAL_LIST = 'dmr:agents:partial-list';
export const MESSAGE_UP = 'dmr:agents:message-to-dmr-server';
export const MESSAGE_DOWN = 'dmr:agents:message-from-dmr-server';
export const EXTENSIONS = 'dmr:extensions';
export const SERVER_LEAVING = 'dmr:server:leaving';

const errorTypes = [
  'INVALID_FORMAT',
  'INVALID_SENDER_ID',
  'INVALID_RECIPIENT_ID',
  'INVALID_MESSAGE_TYPE',
  'INVALID_TIMESTAMP',
  'UNKNOWN',
  'DECRYPTION_FAILED',
  'DELIVERY_FAILED',
  'SIGNATURE_VALIDATION_FAILED',
] as const;

export type ErrorType = (typeof errorTypes)[number];

export const ERROR_TYPES: ReadonlySet<string> = new Set(errorTypes);

export interface ProtocolError {
  type: ErrorType;
  message: string;
  /** No further try can help; an extension that only an agent's DELIVERY_FAILED carries. */
  final?: true;
}

/** What the server answers to a message on its way up: one string. */
export type ServerAck = { status: 'ok' } | { status: 'error'; error: string; retryable?: boolean };

/** What an agent answers to a message on its way down: a list. */
export type AgentAck = { status: 'ok' } | { status: 'error'; errors: ProtocolError[] };
