import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['fuzz/**/*.fuzz.ts'],
    globalSetup: ['test/build-once.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 24 * 3600 * 1000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
  },
});
