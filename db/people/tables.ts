import type { Generated } from 'kysely';

import type { Instant } from '../columns.ts';

/** The rows of the tables of people and how they sign in. */

export type Role = 'ADMIN' | 'OPERATOR' | 'CUSTOMER';

/** The tables of people, by name. */
export interface PeopleTables {
  users: {
    id: Generated<number>;
    email: string;
    password_hash: string;
    role: Role;
    customer_id: string | null;
    must_change_password: Generated<boolean>;
    session_version: Generated<number>;
    disabled_at: Date | null;
    created_at: Instant;
    last_login_at: Date | null;
  };
  login_failures: {
    id: Generated<number>;
    at: Date;
    email: string;
    address: string;
  };
  sign_in_links: {
    token_hash: Buffer;
    user_id: number;
    expires_at: Date;
    used_at: Date | null;
  };
}
