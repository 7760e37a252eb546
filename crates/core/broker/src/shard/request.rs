//! Handling requests.

use std::{slice::from_ref, sync::Arc};

use bytes::Bytes;
use stele_base_types::{SessionId, Timestamp};
use stele_core_engine::{Append, Command, Durability, Token};
use tokio::sync::oneshot::Sender;

use super::{Shard, hold::Owed, read::Waiter, release::Answer};
use crate::{
    Error, Failure,
    mailbox::Mailbox,
    opening::sizes_in,
    reply_to::ReplyTo,
    request::{Reply, Request},
};

/// The answer to a command, and how durable its changes must be before it is sent.
type CarriedOut<C> = Result<(<C as Command>::Reply, Durability), Error<<C as Command>::Error>>;

impl Shard {
    /// Handles a request from a front.
    pub fn handle(&mut self, request: Request, now: Timestamp) {
        self.now = now;
        if let Some(request) = self.hold(request) {
            self.take_up(request);
        }
        self.dispatch();
    }

    pub(super) fn take_up(&mut self, request: Request) {
        match request {
            Request::Append {
                append,
                body,
                reply,
                room,
            } => self.append_or_wait(append, body, reply, room),
            Request::Commit { committing, room } => self.commit_or_wait(committing, room),
            Request::Settle { settle, reply } => self.settle(settle, reply),
            Request::Move {
                command,
                body,
                reply,
            } => self.move_records(*command, &body, reply),
            Request::Credit(credit) => self.tell(credit),
            Request::Call(call) => call.run(self),
            Request::Lease {
                lease,
                ticket,
                reply,
            } => self.lease(lease, ticket, reply),
            Request::CancelLease { log, ticket } => self.cancel_lease(log, ticket),
            Request::Delete { delete, reply } => self.delete(delete, reply),
            Request::Join { join, reply } => self.join(*join, reply),
            Request::Sync { sync, reply } => self.sync(*sync, reply),
            Request::OpenSession {
                session,
                mailbox,
                reply,
            } => self.open_session(session, mailbox, reply),
            Request::CloseSession(session) => self.close_session(session),
            Request::Read { reads, reply } => {
                let answers = reads.iter().map(|read| self.read(read)).collect();
                drop(reply.send(answers));
            }
            Request::Locate {
                partition,
                from,
                until,
                reply,
            } => drop(reply.send(self.slices(partition, from, until))),
            Request::FindByTime {
                partition,
                at,
                reply,
            } => drop(reply.send(self.find_by_time(partition, at))),
            Request::Watch { partitions, notify } => {
                self.watch(&partitions, &Waiter::Fetch(notify));
            }
            Request::Follow {
                partition,
                past,
                wake,
            } => self.watch(&[(partition, past)], &Waiter::Reader(wake)),
            Request::Peek { peek, reply } => drop(reply.send(self.state.logs.peek(&peek))),
            Request::Status { log, reply } => drop(reply.send(self.log_status(log))),
            Request::Holders { log, reply } => drop(reply.send(self.holders(log))),
            Request::Counters { reply } => self.count(reply),
            Request::Dead { last, reply } => drop(reply.send(self.dead_after(last))),
            Request::Room { log, reply } => drop(reply.send(self.state.logs.room_left(log))),
            Request::AwaitRoom { log, body_bytes } => self.await_room(log, body_bytes),
            Request::PutOffDead { log, awaits } => self.put_off_dead(log, awaits),
            Request::TakeUpDead => self.take_up_for_room(),
        }
    }

    fn open_session(&mut self, session: SessionId, mailbox: Arc<Mailbox>, reply: Sender<()>) {
        if self.is_blocked {
            mailbox.note_blocked(true);
        }
        self.sessions.insert(session, mailbox);
        let _ = reply.send(());
    }

    /// Decides on a command, and answers it once its changes are durable.
    pub(crate) fn call<C: Command>(
        &mut self,
        command: C,
        reply: Option<Reply<C::Reply, C::Error>>,
    ) {
        let clears = command.clears();
        let carried_out = self.carry_out(command, None);
        let Some(reply) = reply else {
            return;
        };
        let (answer, durability) = match carried_out {
            Ok(carried_out) => carried_out,
            Err(error) => return drop(reply.send(Err(error))),
        };
        match clears.filter(|log| self.state.logs.is_owed(*log)) {
            // The command is carried out in pieces.
            Some(log) => {
                let answer = move |shard: &mut Self| {
                    shard.answer_call(reply, Ok(answer), durability);
                };
                self.owed.push((log, Owed::Answer(Box::new(answer))));
            }
            None => self.answer_call(reply, Ok(answer), durability),
        }
    }

    /// Decides on a command that needs no answer.
    pub(super) fn tell<C: Command>(&mut self, command: C) {
        self.call(command, None);
    }

    /// Appends a batch, or refuses it if there is no space.
    pub(super) fn append(&mut self, mut append: Append, body: Bytes, reply: ReplyTo) {
        self.tell_sizes(&mut append, &body);
        let carried_out = self.carry_out(append, Some(&body));
        self.answer_append(reply, carried_out);
    }

    /// Appends a batch for which there is space.
    pub(super) fn append_admitted(&mut self, mut append: Append, body: Bytes, reply: ReplyTo) {
        self.tell_sizes(&mut append, &body);
        let decided = append.decide(&self.state, self.now);
        let carried_out = decided.map_err(Error::Refused).and_then(|decision| {
            let durability = decision.durability;
            Ok((self.apply_decision(decision, from_ref(&body))?, durability))
        });
        self.answer_append(reply, carried_out);
    }

    /// Tells the engine the sizes of a batch's bodies if it needs them, unless the batch is
    /// compressed: the front opens those on another thread ([`crate::Broker::sizes_of`]).
    pub(super) fn tell_sizes(&self, append: &mut Append, body: &Bytes) {
        if append.wants_body_bytes(&self.state)
            && let Some(sizes) = sizes_in(body)
        {
            append.columns.set_body_bytes(sizes);
        }
    }

    fn answer_append(&mut self, reply: ReplyTo, carried_out: CarriedOut<Append>) {
        match carried_out {
            // Requests that look at the log still wait until the records can be read.
            Ok((appended, durability)) if durability > Durability::Volatile && !reply.waits() => {
                reply.send(Ok(appended));
            }
            Ok((appended, durability)) if durability > Durability::Volatile => {
                self.answer(Answer::Append(reply, Ok(appended)), durability);
            }
            Ok((appended, _)) => self.answer_sealed(Answer::Append(reply, Ok(appended))),
            Err(error) => self.answer_sealed(Answer::Append(reply, Err(error))),
        }
    }

    /// Decides on a command and applies its changes.
    pub(super) fn carry_out<C: Command>(
        &mut self,
        command: C,
        body: Option<&Bytes>,
    ) -> CarriedOut<C> {
        let decided = command.decide(&self.state, self.now);
        let decision = decided.map_err(Error::Refused)?;
        // Commands that change nothing, such as declaring an existing queue, need no space.
        let body_size_bytes = body.map_or(0, Bytes::len);
        if !decision.records.is_empty() && !self.has_room(C::ADDS, body_size_bytes) {
            return Err(Failure::NoSpace.into());
        }
        let durability = decision.durability;
        let answer = self.apply_decision(decision, body.map_or(&[], from_ref))?;
        Ok((answer, durability))
    }

    /// Sends an answer when everything decided so far is as durable as required.
    pub(super) fn answer(&mut self, answer: Answer, durability: Durability) {
        match self.unreleased_for(durability) {
            Some(unreleased) => unreleased.answers.push((durability, answer)),
            None => answer.send(),
        }
    }

    /// The same for the answer to a call of any type.
    pub(super) fn answer_call<R, E>(
        &mut self,
        reply: Reply<R, E>,
        answer: Result<R, E>,
        durability: Durability,
    ) where
        R: Send + 'static,
        E: Send + 'static,
    {
        let send = move || drop(reply.send(answer.map_err(Error::Refused)));
        match self.unreleased_for(durability) {
            Some(unreleased) => unreleased
                .answers
                .push((durability, Answer::Call(Box::new(send)))),
            None => send(),
        }
    }

    /// Answers an append that needs no disk once the block being filled is finished: until then,
    /// the records can't be read.
    pub(super) fn answer_sealed(&mut self, answer: Answer) {
        if self.builder.is_empty() {
            return answer.send();
        }
        self.unreleased
            .back_mut()
            .expect("there is an entry for the block being filled")
            .answers
            .push((Durability::Volatile, answer));
    }

    /// Ends a session.
    pub(super) fn close_session(&mut self, session: SessionId) {
        self.sessions.remove(&session);
        let decision = self.state.session_closed(session);
        self.apply_own(decision);
        self.clean_up();
        self.take_up_owed();
    }

    /// A token for a request that may be answered later.
    pub(super) fn give_token(&mut self) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        token
    }
}
