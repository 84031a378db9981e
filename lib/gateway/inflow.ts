import type { Socket } from 'socket.io';
import type { LimitsConfig } from '../config/types';
import { TokenBucket } from '../token-bucket';
import { RESUME_AT, type Intake } from './intake';

/** Why a message is not even looked at. */
export interface Overflow {
  reason: 'RATE_LIMIT' | 'IN_FLIGHT_LIMIT';
  /** The text of the error ack. */
  text: string;
}

/** The WebSocket below a socket; reading from it can be suspended. */
interface Stream {
  pause?(): void;
  resume?(): void;
}

const BURST_S = 2;

/**
 * What comes up from one agent: bounded in its rate and in what waits for its confirm, of its own and of the whole node.
 * Beyond the second bound the socket is not read, so that TCP slows the sender down; a confirm comes, or fails, within
 * seconds, well before a heartbeat that is not read is missed.
 */
export class Inflow {
  /** Messages taken and not answered yet. */
  inFlight = 0;
  private paused: Stream | undefined;
  private readonly bucket: TokenBucket | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly limits: LimitsConfig,
    private readonly intake: Intake,
    private readonly onPause: () => void,
  ) {
    const { perSecond } = limits;
    if (perSecond > 0) this.bucket = new TokenBucket(perSecond, perSecond * BURST_S);
  }

  /** Lets a message in, to be followed by `leave`; or says why it is refused. */
  enter(): Overflow | undefined {
    const { perSecond, inFlight } = this.limits;
    if (this.bucket && !this.bucket.take()) {
      return { reason: 'RATE_LIMIT', text: `Too many messages: at most ${perSecond} a second, send it again later` };
    }
    // Long polling cannot be paused. Of a paused socket, what had been read already still comes: one buffer full.
    if (!this.paused && this.inFlight >= 2 * inFlight) {
      const text = `Too many messages: ${2 * inFlight} of yours are under way, send it again later`;
      return { reason: 'IN_FLIGHT_LIMIT', text };
    }
    if (this.intake.full && !this.stream) {
      return { reason: 'IN_FLIGHT_LIMIT', text: 'Too many messages of all agents are under way, send it again later' };
    }
    this.inFlight += 1;
    this.intake.enter();
    if (this.intake.full || this.inFlight >= inFlight) this.pause();
    return undefined;
  }

  /** A message was answered. */
  leave(): void {
    this.inFlight -= 1;
    this.intake.leave();
    this.goOn();
  }

  /** Undefined over long polling, which cannot be paused. */
  private get stream(): Stream | undefined {
    const { transport } = this.socket.conn as unknown as { transport: { socket?: Stream } };
    return transport.socket?.pause ? transport.socket : undefined;
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = this.stream;
    if (!this.paused) return;
    this.paused.pause?.();
    this.onPause();
    if (this.intake.full) this.intake.whenFree(this.goOn);
  }

  private readonly goOn = (): void => {
    if (!this.paused || this.inFlight > this.limits.inFlight * RESUME_AT) return;
    if (this.intake.full) return this.intake.whenFree(this.goOn);
    this.paused.resume?.();
    this.paused = undefined;
  };
}
