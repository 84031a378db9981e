/** What is read of jest's JSON results. */
interface JestResults {
  numPassedTests: number;
  numFailedTests: number;
  /** Files that failed before their first test. */
  numRuntimeErrorTestSuites: number;
}

/** `12 passed, 0 failed` from jest's JSON results; a file that could not be run counts as one failure. */
export function countsLine(json: string): string {
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(json) as JestResults;
  return `${numPassedTests} passed, ${numFailedTests + numRuntimeErrorTestSuites} failed`;
}
