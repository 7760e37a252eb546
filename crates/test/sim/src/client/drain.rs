//! Consuming each queue until nothing comes any more.

use stele_base_types::{ConsumerId, SessionId};
use stele_core_broker::Request;
use stele_core_engine::{
    Command, ConsumerRef, LeaseRequest, LedgerId, LogCommand, LogDefinition, Token,
};
use tokio::sync::oneshot;

use super::{Client, Turn, heard, is_queue, lease::Grant, shard_of};
use crate::event::Event;

impl Client {
    /// Takes all that every queue has.
    pub(crate) fn drain(&mut self, turn: &mut Turn<'_>) {
        self.look_up(turn);
        for log in self.logs.1.clone() {
            if is_queue(&log) && turn.model.log(log.id).is_some() {
                while self.take_some(turn, &log) {}
                turn.events.push(Event::Drained(log.id));
            }
        }
    }

    fn take_some(&mut self, turn: &mut Turn<'_>, log: &LogDefinition) -> bool {
        let ticket = self.next_id();
        let session = SessionId(ticket);
        let request = LeaseRequest {
            ledger: LedgerId::DEFAULT,
            holder: ConsumerRef {
                session,
                consumer: ConsumerId(0),
            },
            records_max: 256,
            lease_ms: None,
            settle: true,
            wait_until: None,
            attempt: None,
        };
        let (sender, mut receiver) = oneshot::channel();
        let request = Request::Lease {
            command: Command::Log(log.id, LogCommand::Lease(request, Token::default())),
            ticket,
            reply: sender,
        };
        let shard = shard_of(turn, log.id);
        turn.process.handle(shard, request, turn.now);
        let Some(Some(Ok(batches))) = heard(&mut receiver) else {
            return false;
        };
        let has_some = !batches.is_empty();
        for batch in batches {
            let grant = Grant {
                log: log.id,
                session,
                until: None,
                is_taken: true,
            };
            self.hold(turn, grant, batch);
        }
        has_some
    }
}
