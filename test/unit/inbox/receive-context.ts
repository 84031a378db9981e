import { KeyRing } from '../../../lib/crypto/key-ring';
import { ArrivalOrder } from '../../../lib/inbox/arrival-order';
import { ChatbotGate } from '../../../lib/inbox/chatbot-gate';
import { DuplicateWindow } from '../../../lib/inbox/duplicate-window';
import type { ReceiveContext } from '../../../lib/inbox/receive';
import type { AgentStore } from '../../../lib/store/agent-store';
import { Turns } from '../../../lib/turns';
import { noTracing } from '../../../lib/telemetry/tracing';

type Given = Pick<ReceiveContext, 'config' | 'directory' | 'metrics' | 'log' | 'stopping'>;

/** What an agent with this key that has received nothing yet receives with. */
export function receiveContext(store: AgentStore, privateKeyPem: string, given: Given): ReceiveContext {
  return {
    ...given,
    tracing: noTracing,
    keys: new KeyRing(privateKeyPem),
    seen: new DuplicateWindow(store, 60_000, given.log),
    underWay: new Map(),
    arrivals: new ArrivalOrder(),
    diskBegins: Promise.resolve(),
    chats: new Turns(),
    gate: new ChatbotGate(),
  };
}
