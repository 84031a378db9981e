/**
 * Every test file is TypeScript compiled by swc; jose ships ES modules only, and OpenTelemetry's exporter calls `import()`,
 * so they are compiled as well.
 */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.dmr/'],
  testTimeout: 20_000, // longer than `eventually` waits: what it waited for is then said, and a busy machine is no failure
  maxWorkers: 4, // on two cores, half of which idle with three: most tests wait for something most of the time
  transform: {
    '^.+\\.[jt]s$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: ['/node_modules/(?!jose/|@opentelemetry/otlp-exporter-base/)'],
};
