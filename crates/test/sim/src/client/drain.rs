//! Consuming each queue until it is empty.

use stele_base_types::ConsumerId;
use stele_core_engine::{ConsumerRef, LeaseRequest, LedgerId, LogDefinition};

use super::{Client, Turn, heard, is_queue, lease::Grant};
use crate::event::Event;

impl Client {
    /// Takes everything from every queue.
    pub(crate) fn drain(&mut self, turn: &mut Turn<'_>) {
        self.look_up(turn);
        for log in self.logs.1.clone() {
            if !is_queue(&log) {
                continue;
            }
            // Letters may wait for room in a queue whose declaration was never answered.
            let is_known = turn.model.log(log.id).is_some();
            if is_known {
                turn.events.push(Event::Draining);
            }
            while self.take_some(turn, &log) {}
            if is_known {
                turn.events.push(Event::Drained(log.id));
            }
        }
    }

    fn take_some(&mut self, turn: &mut Turn<'_>, log: &LogDefinition) -> bool {
        let ticket = self.next_id();
        let session = turn.process.session(ticket);
        let request = LeaseRequest {
            ledger: LedgerId::DEFAULT,
            holder: ConsumerRef {
                session,
                consumer: ConsumerId(0),
            },
            records_max: 256,
            lease_ms: None,
            settle: true,
            wait_ms: None,
            attempt: None,
            leased_max: None,
        };
        let mut answer = turn.ask_for_leases(log.id, request, ticket);
        let Some(Some(Ok(batches))) = heard(&mut answer) else {
            return false;
        };
        let has_some = !batches.is_empty();
        for batch in batches {
            let grant = Grant {
                consumer: None,
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
