/** How to reach one RabbitMQ node. */
export interface AmqpAccess {
  host: string;
  port: number;
  user: string;
  password: string;
  vhost: string;
}

/** A RabbitMQ that is up and answers, and how to let go of it. */
export interface ProvidedBroker extends AmqpAccess {
  kind: 'configured' | 'private' | 'docker';
  /** Base URL of the management interface, without a closing slash; unknown when the configured broker names none. */
  managementUrl?: string;
  /** Port of RabbitMQ's own `/metrics` on `host`. */
  prometheusPort?: number;
  /** Ends what was started for us; leaves a configured broker alone. May be called more than once. */
  stop(): Promise<void>;
}

export interface ProvideOptions {
  /** Folder of a private node; made when missing. Nothing else may live in it. */
  dataDir: string;
  /** The broker and its data are for this run only: `stop()` is quick and removes `dataDir`. */
  throwAway?: boolean;
  /** Told one line at each step that takes time. */
  say: (line: string) => void;
  /** A person can be asked. */
  interactive: boolean;
  env: NodeJS.ProcessEnv;
}

/** A program and its arguments, never a line for a shell. */
export type Command = [program: string, ...args: string[]];
