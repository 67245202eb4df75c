import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/build-once.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Real processes on a shared machine: what fails once is told, what fails twice is a failure.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
