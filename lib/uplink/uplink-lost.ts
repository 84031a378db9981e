import { RetryableError } from '../errors';

/** The connection was lost before the server's answer. */
export class UplinkLostError extends RetryableError {
  constructor(
    /** Nothing else was on its way up meanwhile, and the server had not said that it leaves. */
    readonly alone: boolean,
    cause?: unknown,
  ) {
    const lost = 'The connection to the DMR server was lost before its answer';
    super('UPLINK_LOST', `${lost}; send the message again with the same id`, { cause });
  }
}
