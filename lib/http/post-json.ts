import http, { type IncomingHttpHeaders } from 'node:http';
import https from 'node:https';

/** What an answer says before its body, which nobody reads. */
export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
}

/** The peer sent no answer in time; `unsent` when there was no connection to it either. */
export class AnswerLateError extends Error {
  constructor(
    timeoutMs: number,
    readonly unsent: boolean,
  ) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

/** Servers close a connection that has been idle for 5 s, as a rule, or say when they do (`Keep-Alive: timeout`). */
const KEEP_ALIVE = { keepAlive: true, timeout: 4000 };
const clients = {
  'http:': { request: http.request, agent: new http.Agent(KEEP_ALIVE) },
  'https:': { request: https.request, agent: new https.Agent(KEEP_ALIVE) },
};
/** What is read of an answer's body so that the connection can be used again; a longer one costs the connection. */
const MAX_BODY_BYTES = 65_536;

/**
 * Posts JSON once and follows no redirect: a followed one may turn the POST into a GET that says 200. Resolves as the
 * head of the answer is there. Throws AnswerLateError after `timeoutMs`, or what the system says of the connection.
 */
export function postJson(
  url: string,
  body: string,
  headers: Record<string, string>,
  timeoutMs: number,
): Promise<Answer> {
  const target = new URL(url);
  const { request, agent } = clients[target.protocol as keyof typeof clients];
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, agent };
    const posting = request(target, options, (response) => {
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
      let left = MAX_BODY_BYTES;
      response.on('data', ({ length }: Buffer) => void ((left -= length) < 0 && response.destroy()));
      response.on('error', () => undefined); // the status has said it all
    });
    const late = () => posting.destroy(new AnswerLateError(timeoutMs, posting.socket?.connecting ?? true));
    const timer = setTimeout(late, timeoutMs);
    posting.on('error', reject);
    posting.on('close', () => {
      clearTimeout(timer);
      // Nothing else is told of a peer that switches to another protocol.
      reject(new Error('the connection was closed without an answer'));
    });
    posting.end(body);
  });
}
