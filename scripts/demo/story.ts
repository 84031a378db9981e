import { setTimeout as wait } from 'node:timers/promises';
import type { OutgoingMessage } from '../../lib/protocol/chat-message';
import type { Fleet } from './fleet';
import { hopLines, hopsOf, type Hop } from './hops';
import type { DemoPlan } from './plan';
import { answerIn, post, questionTo, wordsOf, type ArrivedMessage } from './question';

const QUESTION = 'My bicycle was stolen in front of the tax office. What do I do now?';
const ANSWER_LIMIT_MS = 15_000;
/** The last hop comes after the chatbot has the message. */
const LAST_HOP_LIMIT_MS = 2000;

/** A question that was answered, and how. */
export class Story {
  private readonly question: OutgoingMessage;
  private startedAt = 0;
  private answer: ArrivedMessage | undefined;

  constructor(
    private readonly plan: DemoPlan,
    private readonly fleet: Fleet,
  ) {
    this.question = questionTo(plan.police, QUESTION);
  }

  /**
   * Asks the Police as the chatbot of the Tax Office would and waits for their answer there.
   * @throws when there is none in time, with the way that the question took
   */
  async happen(): Promise<void> {
    const { taxOffice, police } = this.plan;
    this.startedAt = Date.now();
    await post(taxOffice, this.question);
    this.answer = await answerIn(taxOffice, this.question.payload.chat.id, ANSWER_LIMIT_MS);
    if (!this.answer)
      throw new Error(`The ${police.name} did not answer within ${ANSWER_LIMIT_MS / 1000} s.\n${this.wayThere()}`);
    await this.delivered(this.question.id, this.answer.id);
  }

  /** The whole story for people. */
  told(): string {
    const { taxOffice, police } = this.plan;
    return `\
A citizen asks the ${taxOffice.name}: "${QUESTION}"
${this.wayThere()}

The answer of the ${police.name} at the ${taxOffice.name} chatbot: "${this.answer ? wordsOf(this.answer) : ''}"
${this.wayBack()}`;
  }

  private wayThere(): string {
    const { taxOffice, police } = this.plan;
    const asked: Hop = {
      at: this.startedAt,
      who: `${taxOffice.name} chatbot`,
      what: 'hands the question to its agent: POST /v1/messages',
    };
    return this.lines(this.question.id, taxOffice.name, police.name, asked);
  }

  private wayBack(): string {
    return this.answer ? this.lines(this.answer.id, this.plan.police.name, this.plan.taxOffice.name) : '';
  }

  private lines(messageId: string, from: string, to: string, ...before: Hop[]): string {
    return hopLines([...before, ...hopsOf(this.fleet.entriesOf(messageId), { from, to })], this.startedAt);
  }

  private async delivered(...messageIds: string[]): Promise<void> {
    const giveUpAt = Date.now() + LAST_HOP_LIMIT_MS;
    const done = (id: string) => this.fleet.entriesOf(id).some(({ event }) => event === 'delivered');
    while (!messageIds.every(done) && Date.now() < giveUpAt) await wait(20);
  }
}
