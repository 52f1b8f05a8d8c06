/**
 * The part of BullMQ that the bench's worker uses. The bench installs the package below this folder, so a fresh clone lacks
 * it. This file therefore declares the types and loads the package by a name that the compiler does not resolve.
 */

export interface Job {
  id: string;
  name: string;
  data: { plantId: string };
  attemptsMade: number;
}

interface JobOptions {
  attempts?: number;
  backoff?: { type: 'fixed'; delay: number };
  removeOnComplete?: { count: number };
  removeOnFail?: { count: number };
}

interface Connection {
  host: string;
  port: number;
  maxRetriesPerRequest?: null;
}

export interface Queue {
  addBulk(jobs: { name: string; data: Job['data']; opts?: JobOptions }[]): Promise<unknown>;
  getJobSchedulers(start: number, end: number): Promise<{ key: string; every?: number }[]>;
  upsertJobScheduler(
    id: string,
    repeat: { every: number; offset: number },
    template: { name: string; data: Job['data']; opts?: JobOptions },
  ): Promise<unknown>;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): Promise<void>;
}

export interface Worker {
  on(event: 'error', listener: (error: Error) => void): void;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

interface BullMq {
  Queue: new (name: string, options: { connection: Connection }) => Queue;
  Worker: new (
    name: string,
    processor: (job: Job) => Promise<void>,
    options: {
      connection: Connection;
      concurrency: number;
      lockDuration: number;
      stalledInterval: number;
      maxStalledCount: number;
      removeOnComplete: { count: number };
      removeOnFail: { count: number };
    },
  ) => Worker;
}

/** @throws Error if the bench has not installed it. */
export async function loadBullMq(): Promise<BullMq> {
  const name: string = 'bullmq';
  return (await import(name)) as BullMq;
}
