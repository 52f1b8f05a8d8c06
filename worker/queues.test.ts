import { expect, test } from 'vitest';

import { allQueues } from '../workflows/queues.ts';
import { servedQueues } from './queues.ts';

test('a worker can serve every queue that WORKER_QUEUES may name', () => {
  expect(servedQueues.map(({ name }) => name)).toEqual(allQueues);
});
