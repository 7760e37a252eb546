//! Sessions with subscribed consumers: records are delivered as credit allows; unsettled ones
//! return when the session ends.

use std::sync::Arc;

use stele_base_types::{ConsumerId, LogId, SessionId};
use stele_core_broker::{Error, Event as Told, Failure, Mailbox, Request};
use stele_core_engine::{ConsumerRef, Credit, LedgerId, Subscribe, Subscription, Unsubscribe};
use tokio::sync::oneshot;

use super::{Client, Turn, is_queue, lease::Grant, shard_of};
use crate::event::{Event, PublishId};

const SESSIONS_MAX: usize = 4;

/// The open sessions.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<OneSession>);

#[derive(Debug)]
struct OneSession {
    id: SessionId,
    mailbox: Arc<Mailbox>,
    consumers: Vec<Consumer>,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    id: ConsumerId,
    log: LogId,
    is_taking: bool,
}

impl Client {
    pub(super) fn open_session(&mut self, turn: &mut Turn<'_>) {
        if self.sessions.0.len() >= SESSIONS_MAX {
            return self.subscribe(turn);
        }
        let session = turn.process.session(self.next_id());
        let mailbox = Arc::<Mailbox>::default();
        for shard in 0..turn.process.shard_count() {
            let mailbox = Arc::clone(&mailbox);
            let (reply, _) = oneshot::channel();
            let request = Request::OpenSession {
                session,
                mailbox,
                reply,
            };
            turn.process.handle(shard, request, turn.now);
        }
        self.sessions.0.push(OneSession {
            id: session,
            mailbox,
            consumers: Vec::new(),
        });
    }

    pub(super) fn close_session(&mut self, turn: &mut Turn<'_>) {
        if self.sessions.0.is_empty() {
            return;
        }
        self.catch_up_with_all(turn);
        let at = turn.random.place(self.sessions.0.len());
        let session = self.sessions.0.remove(at);
        self.end_session(turn, session.id);
    }

    /// Cancels a consumer, which keeps what it holds.
    pub(super) fn cancel(&mut self, turn: &mut Turn<'_>) {
        let Some(at) = (0..self.sessions.0.len()).rev().find(|at| {
            let session = &self.sessions.0[*at];
            !session.consumers.is_empty()
        }) else {
            return;
        };
        let session = &mut self.sessions.0[at];
        let place = turn.random.place(session.consumers.len());
        let Consumer { id, log, .. } = session.consumers[place];
        let consumer = ConsumerRef {
            session: session.id,
            consumer: id,
        };
        let shard = shard_of(turn, log);
        self.catch_up(turn, shard);
        turn.events.push(Event::Cancelled(consumer));
        let unsubscribe = Unsubscribe {
            log,
            consumer,
            lingers: turn.random.once_in(2),
        };
        turn.tell(shard, unsubscribe);
        let session = &mut self.sessions.0[at];
        session.consumers.retain(|known| known.id != id);
    }

    /// Whether any session is open.
    pub(crate) fn has_sessions(&self) -> bool {
        !self.sessions.0.is_empty()
    }

    /// A client leaves; what it returns may be delivered to others.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>) {
        self.catch_up_with_all(turn);
        if let Some(session) = self.sessions.0.pop() {
            self.end_session(turn, session.id);
        }
    }

    /// Everything still due to a session arrives before its end.
    fn catch_up_with_all(&mut self, turn: &mut Turn<'_>) {
        for shard in 0..turn.process.shard_count() {
            self.catch_up(turn, shard);
        }
    }

    pub(super) fn subscribe(&mut self, turn: &mut Turn<'_>) {
        let Some(log) = self.some_log(turn, is_queue) else {
            return;
        };
        let id = ConsumerId(self.next_id());
        if self.sessions.0.is_empty() {
            return;
        }
        let at = turn.random.place(self.sessions.0.len());
        let session = &mut self.sessions.0[at];
        let is_taking = turn.random.once_in(6);
        let terms = Subscription {
            ledger: LedgerId::DEFAULT,
            consumer: ConsumerRef {
                session: session.id,
                consumer: id,
            },
            prefetch: (!turn.random.once_in(3)).then(|| turn.random.between(1, 8) as u32),
            pool: turn.random.below(2),
            pool_prefetch: turn
                .random
                .once_in(3)
                .then(|| turn.random.between(1, 12) as u32),
            settle: is_taking,
            exclusive: turn.random.once_in(10),
            credit_bytes: turn.random.between(1, 20_000),
            priority: turn.random.below(3) as i64 - 1,
        };
        let log = log.id;
        session.consumers.push(Consumer { id, log, is_taking });
        turn.tell(shard_of(turn, log), Subscribe { log, terms });
    }

    pub(super) fn hear_sessions(&mut self, turn: &mut Turn<'_>) {
        let mut told = Vec::new();
        for at in 0..self.sessions.0.len() {
            self.sessions.0[at].mailbox.take(&mut told);
            for told in told.drain(..) {
                self.hear_told(turn, at, told);
            }
        }
    }

    fn hear_told(&mut self, turn: &mut Turn<'_>, at: usize, told: Told) {
        let session = &mut self.sessions.0[at];
        match told {
            Told::Delivered {
                log,
                consumer,
                batch,
                charged_bytes,
            } => {
                let known = session.consumers.iter().find(|known| known.id == consumer);
                let grant = Grant {
                    log,
                    session: session.id,
                    consumer: Some(consumer),
                    until: None,
                    is_taken: known.is_some_and(|known| known.is_taking),
                };
                let consumer = ConsumerRef {
                    session: session.id,
                    consumer,
                };
                self.hold(turn, grant, batch);
                self.sessions.grant(turn, log, consumer, charged_bytes);
            }
            Told::ConsumerCancelled { consumer } => {
                session.consumers.retain(|known| known.id != consumer);
            }
            Told::Published {
                tag,
                result: Err(Error::Failed(Failure::NoSpace)),
            } => turn.events.push(Event::NoSpace(PublishId(tag))),
            Told::Published { .. }
            | Told::Committed { .. }
            | Told::Blocked(_)
            | Told::Readable { .. } => {}
        }
    }

    fn end_session(&mut self, turn: &mut Turn<'_>, session: SessionId) {
        turn.events.push(Event::SessionClosed(session));
        self.leases
            .held
            .retain(|held| held.session != session || held.has_deadline);
        for shard in 0..turn.process.shard_count() {
            let request = Request::CloseSession(session);
            turn.process.handle(shard, request, turn.now);
        }
    }
}

impl Sessions {
    /// A random session, with its mailbox.
    pub(super) fn any(&self, turn: &mut Turn<'_>) -> Option<(SessionId, Arc<Mailbox>)> {
        let session = turn.random.pick(&self.0)?;
        Some((session.id, Arc::clone(&session.mailbox)))
    }

    /// Most of the time, the transport has sent a delivery and grants credit for it.
    fn grant(&self, turn: &mut Turn<'_>, log: LogId, consumer: ConsumerRef, bytes: u64) {
        if !turn.random.once_in(20) {
            let request = Request::Credit(Credit {
                log,
                consumer,
                bytes,
            });
            let shard = shard_of(turn, log);
            turn.process.handle(shard, request, turn.now);
        }
    }
}
