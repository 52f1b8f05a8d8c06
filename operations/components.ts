import { clock } from './clock.ts';
import type { Component } from './diagnosis.ts';
import { disks } from './disks.ts';
import { failingGateways, gatewayPolling } from './gateways/components.ts';
import { shards, walkers } from './gateways/shards.ts';
import { halt } from './halt.ts';
import { notifications } from './notifications/components.ts';
import { loops, plantQueues, polling } from './plants/components.ts';
import { queues, servedQueue } from './queues.ts';
import { reconciliation } from './reconciliation.ts';
import { accounts, failingPlants, incidents } from './plants/trouble.ts';
import { postgres, redis, temporal } from './servers.ts';
import { fleetQueue } from '../workflows/messages.ts';

/** All components of the diagnosis, in the order in which people see them. Every view shows each of them. */
export const components: readonly Component[] = [
  postgres,
  redis,
  temporal,
  disks,
  clock,
  halt,
  ...plantQueues,
  servedQueue(fleetQueue),
  walkers,
  queues,
  reconciliation,
  loops,
  polling,
  shards,
  gatewayPolling,
  incidents,
  accounts,
  failingPlants,
  failingGateways,
  notifications,
];

/** What people are told of as a problem of the system. What fails in the fleet has its own alerts and incidents. */
export const systemComponents = components.filter(({ about }) => about !== 'FLEET');
