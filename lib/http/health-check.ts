import { healthPort } from '../config';

const WAIT_MS = 3000;

/**
 * Whether this machine's node answers 200 at the path; for the HEALTHCHECK of an image that has no curl.
 * Run as a program it takes the path as its argument, `/v1/health/live` by default, and ends with 0 or 1.
 */
export async function answersWell(port: number, path: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(WAIT_MS) });
    return response.status === 200;
  } catch {
    return false; // nobody listens, or too late: both are what was asked for
  }
}

if (require.main === module) {
  const [path = '/v1/health/live'] = process.argv.slice(2);
  void answersWell(healthPort(), path).then((well) => process.exit(well ? 0 : 1));
}
