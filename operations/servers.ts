import { sql } from 'kysely';

import type { Component, Fact } from './diagnosis.ts';
import { readVersions } from '../db/migrate.ts';

/** The servers that everything runs on, as components of the diagnosis. */

export const postgres: Component = {
  name: 'postgres',
  part: 'database',
  fact: ({ db }) => sql`select 1`.execute(db),
  judge: (_, { tookMs }) => ({ state: 'ok', sentence: `PostgreSQL answers in ${tookMs} ms.` }),
  away: {
    state: 'down',
    sentence: 'PostgreSQL does not answer.',
    advice:
      'Start PostgreSQL, or correct DATABASE_URL. Polls wait, and are written when it is back.',
  },
};

export const redis: Component<{ evictionPolicy: string | null } | null> = {
  name: 'redis',
  fact: async ({ askRedis }) => (askRedis === null ? null : askRedis()),
  judge(answer, { tookMs }) {
    if (answer === null) return null;
    const { evictionPolicy } = answer;
    return evictionPolicy === null || evictionPolicy === 'noeviction'
      ? { state: 'ok', sentence: `Redis answers in ${tookMs} ms.` }
      : {
          state: 'degraded',
          sentence: `Redis may evict keys (${evictionPolicy}).`,
          advice: 'Set maxmemory-policy to noeviction, so that no lock vanishes.',
        };
  },
  away: {
    state: 'degraded',
    sentence: 'Redis does not answer.',
    advice: 'Start Redis. Until then the database alone keeps polls apart.',
  },
};

export const temporalVersion: Fact<string> = async ({ temporal }) =>
  (await temporal.workflowService.getSystemInfo({})).serverVersion ?? 'unknown';

export const temporal: Component<string> = {
  name: 'temporal',
  fact: temporalVersion,
  judge: (version, { tookMs }) => ({
    state: 'ok',
    sentence: `Temporal ${version} answers in ${tookMs} ms.`,
  }),
  away: {
    state: 'degraded',
    sentence: 'Temporal does not answer.',
    advice: 'Start Temporal, or correct TEMPORAL_ADDRESS. Nothing is polled until it is back.',
  },
};

export const databaseVersions: Fact<{ postgres: string; migration: string | null }> = ({ db }) =>
  readVersions(db);
