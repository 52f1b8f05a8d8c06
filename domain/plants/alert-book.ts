import {
  announceRaise,
  announceRecovery,
  announceRise,
  type Audience,
  reminderOf,
} from './announcing.ts';
import type { AlertChange } from './changes.ts';
import type { ActiveAlert, AlertKey, AlertSeverity, AlertsBefore, AlertType } from './facts.ts';

/** A condition that holds now, and what its alert says if it is new. */
export interface Condition extends AlertKey {
  severity: AlertSeverity;
  startedAtMs: number;
  message: string;
  vendorLevel?: string;
  vendorText?: string;
  muted?: boolean;
}

/**
 * The alerts of one plant during one evaluation: what holds is reported, what has ended is resolved, and the changes come
 * out in the order in which they are applied. It keeps one active alert a key, and the order NEW → ACKED → RESOLVED.
 */
export class AlertBook {
  readonly changes: AlertChange[] = [];
  readonly #before: AlertsBefore;
  readonly #nowMs: number;
  readonly #audience: Audience;
  /** By key; those raised in this evaluation have no id yet. */
  readonly #active = new Map<string, ActiveAlert | Condition>();
  /** Ids whose announcement, or whose end, this evaluation has decided already. */
  readonly #decided = new Set<string>();

  constructor(before: AlertsBefore, nowMs: number) {
    this.#before = before;
    this.#nowMs = nowMs;
    this.#audience = { ...before.plant, inIncident: before.incident !== null };
    for (const alert of before.active) this.#active.set(keyText(alert), alert);
  }

  /** The condition holds: a new alert, a rise, or the old one seen again. Nothing lowers an active alert. */
  report(condition: Condition): void {
    const alert = this.#active.get(keyText(condition));
    if (alert === undefined) {
      this.#raise(condition);
    } else if ('id' in alert) {
      if (alert.severity === 'YELLOW' && condition.severity === 'RED') this.#rise(alert);
      else this.changes.push({ kind: 'SEEN', id: alert.id });
    }
  }

  /** The condition has ended; without an active alert of its key nothing happens. */
  resolve(key: AlertKey, reason: string, endedAtMs: number = this.#nowMs): void {
    const alert = this.#active.get(keyText(key));
    if (alert === undefined || !('id' in alert)) return;
    this.#active.delete(keyText(key));
    this.#decided.add(alert.id);
    const atMs = Math.max(alert.startedAtMs, Math.min(endedAtMs, this.#nowMs));
    const recovery = announceRecovery(alert, this.#audience, this.#nowMs);
    this.changes.push({ kind: 'RESOLVE', id: alert.id, atMs, reason, ...recovery });
  }

  /** An alert that began and ended unseen: recorded, not announced. */
  recordEnded(condition: Condition, endedAtMs: number): void {
    this.changes.push({
      kind: 'RECORD_ENDED',
      alert: { ...newAlert(condition), lastNotifiedAtMs: null },
      endedAtMs: Math.max(condition.startedAtMs, Math.min(endedAtMs, this.#nowMs)),
    });
  }

  /** Ends acknowledgements whose time is over and announces what is due, of the alerts that stay. Comes last. */
  remind(): void {
    for (const alert of this.#before.active) {
      if (this.#decided.has(alert.id)) continue;
      const { ackedUntilMs } = alert;
      const isAckOver =
        alert.state === 'ACKED' && ackedUntilMs !== null && ackedUntilMs <= this.#nowMs;
      if (isAckOver) this.changes.push({ kind: 'ACK_ENDED', id: alert.id });
      const standing: ActiveAlert = isAckOver ? { ...alert, state: 'NEW' } : alert;
      const announce = reminderOf(standing, this.#audience, this.#nowMs);
      if (announce !== null) this.changes.push({ kind: 'REMIND', id: alert.id, announce });
    }
  }

  /** The active alerts as they stand now; an acknowledged one counts as any other. */
  standing(): { type: AlertType; severity: AlertSeverity }[] {
    return [...this.#active.values()].map(({ type, severity }) => ({ type, severity }));
  }

  #raise(condition: Condition): void {
    const alert = newAlert(condition);
    const { announce, lastNotifiedAtMs } = announceRaise(
      alert,
      this.#before.ended,
      this.#audience,
      this.#nowMs,
    );
    this.#active.set(keyText(condition), condition);
    this.changes.push({ kind: 'RAISE', alert: { ...alert, lastNotifiedAtMs }, announce });
  }

  #rise(alert: ActiveAlert): void {
    const risen: ActiveAlert = { ...alert, severity: 'RED', state: 'NEW', ackedUntilMs: null };
    this.#active.set(keyText(alert), risen);
    this.#decided.add(alert.id);
    const announce = announceRise(risen, this.#audience, this.#nowMs);
    this.changes.push({ kind: 'RISE', id: alert.id, severity: 'RED', announce });
  }
}

function newAlert(condition: Condition) {
  return {
    type: condition.type,
    vendorAlarmCode: condition.vendorAlarmCode,
    deviceSn: condition.deviceSn,
    severity: condition.severity,
    startedAtMs: condition.startedAtMs,
    message: condition.message,
    vendorLevel: condition.vendorLevel ?? null,
    vendorText: condition.vendorText ?? null,
    muted: condition.muted ?? false,
  };
}

function keyText({ type, vendorAlarmCode, deviceSn }: AlertKey): string {
  return JSON.stringify([type, vendorAlarmCode, deviceSn]);
}
