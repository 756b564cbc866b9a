/** Types of sessions: states, messages and requests are the user's own. Checked by the compiler alone. */

import { expectTypeOf } from 'vitest';
import { type SessionLease, SessionRegistry } from '../../src/session/index.js';

interface Types {
  state: { turns: string[] };
  messages: { hint: string; moved: { to: number } };
  requests: { status: { request: string; reply: number } };
}

declare const typed: SessionRegistry<Types>;
declare const open: SessionRegistry;
declare const lease: SessionLease<Types>;

/** What a session holds. */
void (() => {
  expectTypeOf(typed.claim('chat')).resolves.toEqualTypeOf<SessionLease<Types> | undefined>();
  expectTypeOf(lease.getState()).resolves.toEqualTypeOf<{ turns: string[] } | undefined>();
  // @ts-expect-error another type
  void lease.setState({ turns: [1] });
  expectTypeOf(lease.fence).toEqualTypeOf<number>();
  void new SessionRegistry<Types>({
    adopt: (each) => expectTypeOf(each).toEqualTypeOf<SessionLease<Types>>(),
  });
});

/** The payload of each topic. */
void (() => {
  expectTypeOf(typed.messages.publish('hint', 'text')).resolves.toEqualTypeOf<number>();
  // @ts-expect-error another type
  void typed.messages.publish('moved', 'text');
  // @ts-expect-error no topic
  void typed.messages.publish('moov', { to: 1 });
  void typed.messages.on('moved', ({ to }) => expectTypeOf(to).toEqualTypeOf<number>());
  expectTypeOf(typed.messages.request('status', 'chat')).resolves.toEqualTypeOf<number>();
  // @ts-expect-error another reply
  void typed.messages.answer('status', () => 'text');
});

/** Anything, where nothing is said. */
void (() => {
  void open.messages.publish('whatever', { x: 1 });
  void open.messages.on('whatever', (payload) => expectTypeOf(payload).toBeUnknown());
  expectTypeOf(open.messages.request('whatever', 1)).resolves.toBeUnknown();
});

/** Options and events. */
void (() => {
  // @ts-expect-error no duration
  void new SessionRegistry({ ttl: '5 minutes' });
  open.on('orphaned', ({ takenBy }) => expectTypeOf(takenBy).toEqualTypeOf<string | undefined>());
  // @ts-expect-error no event
  open.on('lost', () => undefined);
});
