import { Checker } from './checker.ts';
import { type Counts, Violation } from './judging.ts';
import { Store } from './store.ts';
import { drawLife, isWithin, type Life, type PersonAct, type PlantLife } from './life.ts';
import { Loop, type World } from './loop.ts';
import { randomOf } from './random.ts';
import { Steps } from './steps.ts';
import { SimulatedVendor } from './vendor.ts';

/** Lives a seed from its first to its last instant. */

/** Turns that a loop may take while no time passes. */
const turnsInPlaceMax = 100;

export interface SeedResult extends Counts {
  seed: string;
  plants: number;
  days: number;
  requests: number;
  /** null: every invariant held. */
  violation: { plantId: string; message: string; trace: readonly string[] } | null;
}

export async function runSeed(
  seed: string,
  days: number,
  wrap: (store: Store) => Store = (store) => store,
): Promise<SeedResult> {
  const life = drawLife(seed, days);
  const vendors = life.plants.map((plant) => new SimulatedVendor(life, plant));
  const store = wrap(new Store());
  const steps = new Steps(life, store, vendors);
  for (const plant of life.plants) addPlant(store, life, plant);
  const checker = new Checker(steps, vendors);
  const result = { seed, plants: vendors.length, days };
  let violation: SeedResult['violation'] = null;
  try {
    await live({ life, steps, checker }, vendors);
    checker.atTheEnd(life);
  } catch (error) {
    violation = violationOf(error, life);
  }
  const requests = vendors.reduce((sum, vendor) => sum + vendor.requests, 0);
  return { ...result, ...checker.counts, requests, violation };
}

/** An error of the rules or of the store counts as a broken invariant. */
function violationOf(error: unknown, life: Life): SeedResult['violation'] {
  if (error instanceof Violation) {
    const { plantId, message, trace } = error;
    return { plantId, message, trace };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { plantId: life.plants[0]?.id ?? '', message, trace: [] };
}

async function live(world: World, vendors: readonly SimulatedVendor[]): Promise<void> {
  const { life, steps, checker } = world;
  const acts = life.plants
    .flatMap((plant) => plant.acts.map((act) => ({ act, plant })))
    .toSorted((a, b) => a.act.atMs - b.act.atMs);
  const backfills: { plantId: string; days: number; atMs: number }[] = [];
  const meanwhile = (nowMs: number): void => {
    for (let next = acts[0]; next !== undefined && next.act.atMs <= nowMs; next = acts[0]) {
      acts.shift();
      const loop = loops.find(({ life: { id } }) => id === next.plant.id);
      if (next.act.kind === 'BACKFILL')
        backfills.push({ plantId: next.plant.id, days: next.act.days, atMs: nowMs });
      else decide(next.act, next.plant.id, world, loop);
      // Credentials belong to the account.
      if (next.act.kind === 'CREDENTIALS') for (const one of loops) one.lookAgain();
      else if (!['BACKFILL', 'POLL', 'SIGNAL'].includes(next.act.kind)) loop?.lookAgain();
    }
  };
  const loops = vendors.map((vendor) => new Loop(world, vendor, meanwhile));
  let turnsInPlace = 0;
  let turnedAtMs = life.fromMs;
  for (;;) {
    const loop = loops.reduce((a, b) => (b.nextAt() < a.nextAt() ? b : a));
    const atMs = loop.nextAt();
    const actMs = acts[0]?.act.atMs ?? Infinity;
    if (actMs <= atMs) {
      meanwhile(actMs);
      for (const one of loops) one.nowMs = Math.max(one.nowMs, actMs);
    } else if (atMs >= life.toMs) {
      for (const one of loops) checker.leftWaiting(one.life.id, one.waitingSinceMs, life);
      return;
    } else if (!sleepThroughOutage(life, loop, atMs)) {
      await loop.turn();
      turnsInPlace = loop.nowMs === turnedAtMs ? turnsInPlace + 1 : 0;
      turnedAtMs = loop.nowMs;
      if (turnsInPlace > turnsInPlaceMax) throw new Error('the loop turns and no time passes');
    }
    for (const { plantId, days, atMs: askedMs } of backfills.splice(0)) {
      const dates = Array.from({ length: days }, (_, index) => dayBefore(askedMs, days - index));
      await steps.fillDays({ plantId, dates, source: 'OPERATOR', nowMs: askedMs });
      checker.filled(plantId);
    }
  }
}

function dayBefore(atMs: number, days: number): string {
  return new Date(atMs - days * 86_400_000).toISOString().slice(0, 10);
}

function sleepThroughOutage(life: Life, loop: Loop, atMs: number): boolean {
  const outage = life.outages.find((one) => isWithin(atMs, one));
  if (outage === undefined) return false;
  const spreadMs = randomOf(loop.life.id, 'back', outage.toMs).int(0, 5_000);
  loop.sleepUntil(outage.toMs + spreadMs, outage.isCold);
  return true;
}

function decide(
  act: Exclude<PersonAct, { kind: 'BACKFILL' }>,
  id: string,
  { steps, checker }: World,
  loop: Loop | undefined,
): void {
  const { store } = steps;
  switch (act.kind) {
    case 'PAUSE':
      store.pausePlant(id, act.untilMs);
      break;
    case 'RESUME':
      store.resumePlant(id, act.atMs);
      break;
    case 'SET_INTERVAL':
      store.setInterval(id, act.intervalS);
      break;
    case 'SILENCE':
      store.silencePlant(id, act.untilMs);
      break;
    case 'CREDENTIALS':
      steps.storeCredentials(act.atMs);
      break;
    case 'POLL':
      loop?.ask();
      return;
    case 'SIGNAL':
      loop?.wishIntegration(act.to);
      break;
    case 'ACK': {
      const open = store.alerts(id).filter(({ state }) => state !== 'RESOLVED');
      const alert = open[randomOf(id, 'ack', act.atMs).int(0, Math.max(0, open.length - 1))];
      if (alert === undefined) return;
      store.ackAlert(id, alert.id, act.untilMs, act.atMs);
    }
  }
  checker.told(id, `a person: ${act.kind}`, act.atMs);
}

function addPlant(store: Store, { accountId }: Life, plant: PlantLife): void {
  const { place, isPlaceKnown, isCapacityKnown, capacityKw, activatedAtMs } = plant;
  store.addPlant({
    plantId: plant.id,
    accountId,
    timezone: place.timezone,
    latitude: isPlaceKnown ? place.latitude : null,
    longitude: isPlaceKnown ? place.longitude : null,
    installedCapacityKw: isCapacityKnown ? capacityKw : null,
    pollIntervalS: plant.intervalS,
    integrationStatus: 'ACTIVE',
    activatedAtMs,
    status: 'GREY',
    statusReason: 'WAITING_FOR_FIRST_READING',
    statusSinceMs: activatedAtMs,
    lastSeenAtMs: null,
    lastSeenSource: null,
    consecutiveFailures: 0,
    alertsSilencedUntilMs: null,
    statusProfile: plant.isDaylight ? 'DAYLIGHT' : 'STRICT',
    devices: null,
    lowGenerationStreak: null,
    alarmsCompleteAtMs: null,
    revision: 1,
    lastSlotMs: null,
    lastPoll: null,
    pausedUntilMs: null,
  });
}

/** A seed's outcome in words: what broke, and what the plant did before. */
export function sentencesOf({ seed, days, violation }: SeedResult): string[] {
  if (violation === null) return [];
  return [
    `seed ${seed}: ${violation.plantId}: ${violation.message}`,
    ...violation.trace.map((line) => `    ${line}`),
    `  again: npm run simulate -- --seed ${seed} --days ${days}`,
  ];
}
