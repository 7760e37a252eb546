//! Connections that are killed while a request is pending: nobody is left to receive the answer.

use stele_core_broker::Request;

use super::{Client, Turn, shard_of};
use crate::event::{Event, WaitId};

impl Client {
    pub(super) fn hang_up(&mut self, turn: &mut Turn<'_>) {
        if turn.random.once_in(2) {
            self.abandon_publish(turn);
        } else {
            self.abandon_lease(turn);
        }
    }

    fn abandon_publish(&mut self, turn: &mut Turn<'_>) {
        let waiting = &mut self.publishes.0;
        if !waiting.is_empty() {
            let (publish, _) = waiting.remove(turn.random.place(waiting.len()));
            turn.events.push(Event::Unanswered(publish));
        }
    }

    /// Abandons a lease request: what is leased for it returns. Excludes requests to take without a
    /// lease, whose records are settled even if nobody receives them, as the requester accepts.
    fn abandon_lease(&mut self, turn: &mut Turn<'_>) {
        let waiting = &mut self.leases.asked;
        if waiting.is_empty() {
            return;
        }
        let at = turn.random.place(waiting.len());
        if waiting[at].0.is_taken {
            return;
        }
        let (asked, answer) = waiting.remove(at);
        turn.events.push(Event::Abandoned(asked.log));
        turn.events
            .push(Event::WaitEnded(WaitId::Lease(asked.ticket)));
        drop(answer);
        // A front reports it, unless it was killed itself.
        if turn.random.once_in(2) {
            let request = Request::CancelLease {
                log: asked.log,
                ticket: asked.ticket,
            };
            let shard = shard_of(turn, asked.log);
            turn.process.handle(shard, request, turn.now);
        }
    }
}
