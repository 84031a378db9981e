import { RetryableError } from '../../../lib/errors';
import { ConsumeProbes } from '../../../lib/amqp/consume-probes';

const nowhere = () => Promise.reject(new RetryableError('BROKER_UNAVAILABLE', 'nobody is there'));

describe('ConsumeProbes', () => {
  let probes: ConsumeProbes;
  beforeEach(() => void (probes = new ConsumeProbes(nowhere)));

  it('suspects a queue after the second loss in a row, and says so once', () => {
    expect([1, 2, 3].map(() => probes.blame('dead'))).toEqual([false, true, false]);
    expect(probes.isSuspect('dead')).toBe(true);
    expect(probes.isSuspect('another')).toBe(false);
  });

  it('forgets the losses of a queue that is consumed', () => {
    probes.blame('q');
    probes.acquit('q');
    probes.blame('q');
    expect(probes.isSuspect('q')).toBe(false);
  });

  it('suspects it still when it could not be asked', async () => {
    probes.blame('q');
    probes.blame('q');
    await expect(probes.probe('q', () => true)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
    expect(probes.isSuspect('q')).toBe(true);
  });

  it('does not ask for who has gone meanwhile', async () => {
    await probes.probe('q', () => false);
  });
});
