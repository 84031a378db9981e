/** A question as a chatbot posts it; its ids and its person are made up. */
export const EXAMPLE_MESSAGE = {
  id: '1b4e28ba-2fa1-41d2-883f-0016d3cca427',
  recipientId: '8d3c0a51-6a2e-4d0b-9f63-2b1e5c7a9d10',
  timestamp: '2026-11-20T10:00:00.000Z',
  type: 'ChatMessage',
  payload: {
    chat: { id: '5f0c9f3e-3a55-4c1b-8f4e-6d2b7a1c0e42', created: '2026-11-20T09:59:00.000Z' },
    messages: [
      {
        id: '3f2b1c9a-8a3e-4c57-9d0e-0a1b2c3d4e5f',
        chatId: '5f0c9f3e-3a55-4c1b-8f4e-6d2b7a1c0e42',
        authorTimestamp: '2026-11-20T10:00:00.000Z',
        authorRole: 'end-user',
        content: 'Where can I ask about my stolen bicycle?',
      },
    ],
  },
} as const;

/** The same as the agent of the recipient posts it to its chatbot. */
export const EXAMPLE_ARRIVAL = { ...EXAMPLE_MESSAGE, senderId: '0d1f4b7c-5e2a-4f3b-8c6d-7a8b9c0d1e2f' } as const;

/** What `GET /v1/messages/{id}` says of it. */
export const EXAMPLE_STATUS = { id: EXAMPLE_MESSAGE.id, status: 'sent', since: '2026-11-20T10:00:00.250Z' } as const;

/** What a healthy agent says of itself. */
export const EXAMPLE_HEALTH = {
  status: 'ok',
  parts: {
    uplink: { ok: true },
    agents: { ok: true, known: 12 },
    outbox: { ok: true, waiting: 0, oldestAgeMs: 0 },
    disk: { ok: true },
  },
} as const;
