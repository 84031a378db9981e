import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { Socket } from 'socket.io';
import { Inflow } from '../../../lib/gateway/inflow';
import { Intake } from '../../../lib/gateway/intake';

const LIMITS = { perSecond: 0, inFlight: 4, nodeInFlight: 1_000_000, messageBytes: 1000, failuresPerSecond: 10 };

let stream: { pause: jest.Mock; resume: jest.Mock };
let paused: jest.Mock;
let intake: Intake;

const inflow = (limits = LIMITS, transport: object = { socket: stream }) =>
  new Inflow({ conn: { transport } } as unknown as Socket, limits, intake, paused);

const enter = (into: Inflow, times: number) => Array.from({ length: times }, () => into.enter());

beforeEach(() => {
  stream = { pause: jest.fn(), resume: jest.fn() };
  paused = jest.fn();
  intake = new Intake(LIMITS.nodeInFlight);
});

describe('what comes up from one agent', () => {
  it('is refused beyond its rate, after a burst of two seconds', () => {
    const limited = inflow({ ...LIMITS, perSecond: 5, inFlight: 100 });
    const answers = enter(limited, 11);
    expect(answers.slice(0, 10)).toEqual(Array(10).fill(undefined));
    expect(answers[10]).toEqual({
      reason: 'RATE_LIMIT',
      text: 'Too many messages: at most 5 a second, send it again later',
    });
    expect(limited.inFlight).toBe(10);
  });

  it('has no rate with 0', () => {
    expect(enter(inflow({ ...LIMITS, inFlight: 1_000_000 }), 20_000).filter(Boolean)).toEqual([]);
  });

  it('is not read any more while too much of it waits, and read again when a quarter of that is done', () => {
    const limited = inflow();
    enter(limited, 3);
    expect(stream.pause).not.toHaveBeenCalled();
    enter(limited, 2);
    expect(stream.pause).toHaveBeenCalledTimes(1);
    expect(paused).toHaveBeenCalledTimes(1);
    limited.leave();
    expect(stream.resume).not.toHaveBeenCalled();
    limited.leave();
    limited.leave();
    expect(stream.resume).toHaveBeenCalledTimes(1);
  });

  it('resumes the very stream it paused, though the transport has changed', () => {
    const transport = { socket: stream };
    const conn = { transport };
    const limited = new Inflow({ conn } as unknown as Socket, LIMITS, intake, paused);
    enter(limited, 4);
    conn.transport = { socket: { pause: jest.fn(), resume: jest.fn() } };
    limited.leave();
    expect(stream.resume).toHaveBeenCalledTimes(1);
  });

  it('is refused at twice that where the transport cannot be paused', () => {
    const limited = inflow(LIMITS, {});
    const answers = enter(limited, 9);
    expect(answers.filter(Boolean)).toEqual([
      { reason: 'IN_FLIGHT_LIMIT', text: 'Too many messages: 8 of yours are under way, send it again later' },
    ]);
    expect(paused).not.toHaveBeenCalled();
    limited.leave();
    expect(limited.enter()).toBeUndefined();
  });
});

describe('what comes up from all agents of a node', () => {
  const streams = () => Array.from({ length: 3 }, () => ({ pause: jest.fn(), resume: jest.fn() }));

  it('is read no more from whoever brings another while too much waits, and read again when a quarter is done', () => {
    intake = new Intake(4);
    const [one, two, idle] = streams() as [typeof stream, typeof stream, typeof stream];
    const [first, second] = [one, two, idle].map((socket) => inflow({ ...LIMITS, inFlight: 100 }, { socket }));
    enter(first as Inflow, 3);
    expect(one.pause).not.toHaveBeenCalled();
    enter(second as Inflow, 2);
    expect([one, two, idle].map(({ pause }) => pause.mock.calls.length)).toEqual([0, 1, 0]);
    enter(first as Inflow, 1);
    expect(one.pause).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 2; i++) first?.leave();
    expect(intake.inFlight).toBe(4);
    expect(two.resume).not.toHaveBeenCalled();
    first?.leave();
    expect(intake.inFlight).toBe(3);
    expect([one, two].map(({ resume }) => resume.mock.calls.length)).toEqual([1, 1]);
  });

  it('is refused where the transport cannot be paused, so that it keeps nobody else waiting', () => {
    intake = new Intake(4);
    enter(inflow({ ...LIMITS, inFlight: 100 }), 4);
    const polling = inflow({ ...LIMITS, inFlight: 100 }, {});
    expect(polling.enter()).toEqual({
      reason: 'IN_FLIGHT_LIMIT',
      text: 'Too many messages of all agents are under way, send it again later',
    });
    expect([polling.inFlight, intake.inFlight]).toEqual([0, 4]);
  });

  it('is read again from a few at a time, and from the others only if those have not filled the room', async () => {
    intake = new Intake(20);
    const crowd = Array.from({ length: 20 }, () => ({ pause: jest.fn(), resume: jest.fn() }));
    const flows = crowd.map((socket) => inflow({ ...LIMITS, inFlight: 100 }, { socket }));
    const read = () => crowd.filter(({ resume }) => resume.mock.calls.length > 0).length;
    enter(flows[0]!, 19);
    for (const flow of flows) flow.enter();
    for (let i = 0; i < 23; i++) flows[0]!.leave();
    expect(intake.inFlight).toBe(16);
    expect(read()).toBe(0);
    flows[0]!.leave();
    expect(read()).toBe(4);
    await endOfTurn();
    expect(read()).toBe(8);
    enter(flows[1]!, 5); // the room is full again
    await endOfTurn();
    expect(read()).toBe(8);
    for (let i = 0; i < 5; i++) flows[1]!.leave();
    for (let turn = 0; turn < 5; turn++) await endOfTurn();
    expect(read()).toBe(20);
  });

  it('does not let an agent go on that is beyond its own bound', () => {
    intake = new Intake(6);
    const [one, two] = streams() as [typeof stream, typeof stream];
    const [first, second] = [one, two].map((socket) => inflow(LIMITS, { socket }));
    enter(first as Inflow, 4);
    enter(second as Inflow, 2);
    expect(two.pause).toHaveBeenCalledTimes(1);
    second?.leave();
    second?.leave();
    expect(two.resume).toHaveBeenCalledTimes(1);
    expect(one.resume).not.toHaveBeenCalled();
    first?.leave();
    expect(one.resume).toHaveBeenCalledTimes(1);
  });
});
