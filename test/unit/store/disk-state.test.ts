import { RetryableError } from '../../../lib/errors';
import { DiskState } from '../../../lib/store/disk-state';

const why = new RetryableError('STORAGE_FAILED', 'no space');

let probe: jest.Mock<Promise<void>, [number]>;
let told: jest.Mock<void, [RetryableError?]>;
let disk: DiskState;

beforeEach(() => {
  jest.useFakeTimers();
  probe = jest.fn((_bytes: number) => Promise.reject(why));
  told = jest.fn((_refusal?: RetryableError) => undefined);
  disk = new DiskState(probe, told);
});
afterEach(() => {
  disk.stop();
  jest.useRealTimers();
});

const look = () => jest.advanceTimersByTimeAsync(5000);

it('a disk takes what is written until it refuses, and again when there is room for as much; each is told once', async () => {
  expect(disk.writable).toBe(true);
  for (const bytes of [10, 30, 20]) disk.refused(bytes, why);
  await look();
  await look();
  expect(disk.writable).toBe(false);
  expect(told.mock.calls).toEqual([[why]]);
  probe.mockResolvedValue();
  await look();
  expect(disk.writable).toBe(true);
  expect(told.mock.calls).toEqual([[why], []]);
  expect(probe.mock.calls).toEqual([[30], [30], [30]]);
  await look();
  expect(probe).toHaveBeenCalledTimes(3);
});

it('a second refusal is told and looked after as the first', async () => {
  disk.refused(30, why);
  probe.mockResolvedValue();
  await look();
  disk.refused(10, why);
  expect(disk.writable).toBe(false);
  await look();
  expect(disk.writable).toBe(true);
  expect(probe.mock.calls).toEqual([[30], [10]]);
  expect(told).toHaveBeenCalledTimes(4);
});

it('nobody looks any more once it stops', async () => {
  disk.refused(10, why);
  disk.stop();
  await look();
  expect(probe).not.toHaveBeenCalled();
  expect(jest.getTimerCount()).toBe(0);
});
