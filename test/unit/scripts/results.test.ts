import { Stopwatch } from '../../../scripts/lib/stopwatch';
import { testEnv } from '../../../scripts/lib/test-env';
import { countsLine } from '../../../scripts/lib/test-results';

describe('countsLine', () => {
  const json = (passed: number, failed: number, broken: number) =>
    JSON.stringify({ numPassedTests: passed, numFailedTests: failed, numRuntimeErrorTestSuites: broken });

  it('has the form that is read by machines', () => {
    expect(countsLine(json(12, 0, 0))).toBe('12 passed, 0 failed');
  });

  it('counts a file that could not be run as a failure', () => {
    expect(countsLine(json(12, 1, 2))).toBe('12 passed, 3 failed');
  });
});

describe('testEnv', () => {
  const broker = {
    kind: 'private' as const,
    host: 'h',
    port: 1,
    user: 'u',
    password: 'p',
    vhost: '/',
    stop: () => Promise.resolve(),
  };

  it('names the broker', () => {
    expect(testEnv({ ...broker, managementUrl: 'http://h:2', prometheusPort: 3 })).toEqual({
      DMR_TEST_AMQP_HOST: 'h',
      DMR_TEST_AMQP_PORT: '1',
      DMR_TEST_AMQP_USER: 'u',
      DMR_TEST_AMQP_PASS: 'p',
      DMR_TEST_MANAGEMENT_URL: 'http://h:2',
      DMR_TEST_BROKER_METRICS: 'h:3',
    });
  });

  it('leaves out what is not known', () => {
    expect(testEnv(broker)).not.toHaveProperty('DMR_TEST_MANAGEMENT_URL');
  });
});

describe('Stopwatch', () => {
  it('reports each step, failed ones as well', async () => {
    const watch = new Stopwatch({ packages: 1234 });
    await expect(watch.time('broker', Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(watch.time('tests', 7)).resolves.toBe(7);
    expect(watch.report()).toBe('Time: packages 1.2 s, broker 0.0 s, tests 0.0 s');
  });
});
