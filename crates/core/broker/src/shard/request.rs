//! Taking up requests.

use bytes::Bytes;
use stele_base_types::Timestamp;
use stele_core_engine::{
    CatalogueCommand, Command, Durability, GroupCommand, LogCommand, Reply, Token,
};

use super::{Shard, deliver::Deferred};
use crate::{Error, mailbox::Event, reply_to::ReplyTo, request::Request};

impl Shard {
    /// Takes up a request of a front.
    pub fn handle(&mut self, request: Request, now: Timestamp) {
        self.now = now;
        if let Some(request) = self.hold(request) {
            self.take_up(request);
        }
        self.dispatch();
    }

    pub(super) fn take_up(&mut self, request: Request) {
        match request {
            Request::Command {
                command,
                body,
                reply,
            } => self.command(command, body, reply),
            Request::Lease {
                command,
                ticket,
                reply,
            } => self.lease(command, ticket, reply),
            Request::CancelLease { log, ticket } => self.cancel_lease(log, ticket),
            Request::OpenSession {
                session,
                mailbox,
                reply,
            } => {
                if self.is_blocked {
                    mailbox.push(Event::Blocked(true));
                }
                self.sessions.insert(session, mailbox);
                let _ = reply.send(());
            }
            Request::Read { reads, reply } => {
                let answers = reads.iter().map(|read| self.read(read)).collect();
                drop(reply.send(answers));
            }
            Request::FindByTime {
                partition,
                at,
                reply,
            } => drop(reply.send(self.find_by_time(partition, at))),
            Request::Watch { partitions, notify } => self.watch(&partitions, &notify),
            Request::Status { log, reply } => drop(reply.send(self.log_status(log))),
            Request::Counters { reply } => drop(reply.send(self.shard_status())),
        }
    }

    /// Takes up a command of another shard, or of this one to itself.
    pub fn handle_lane(&mut self, command: Command, now: Timestamp) {
        self.now = now;
        self.command(command, None, ReplyTo::Nobody);
        self.dispatch();
    }

    pub(super) fn command(&mut self, mut command: Command, body: Option<Bytes>, reply: ReplyTo) {
        let needs_space = adds_data(&command);
        let ends_session = matches!(command, Command::SessionClosed(_));
        if let Command::SessionClosed(session) = &command {
            self.sessions.remove(session);
        }
        let token = self.give_token(&mut command);
        let is_append = matches!(command, Command::Append(_));
        let decision = self.state.decide(command, self.now);
        // What is there already, as a queue that its consumer declares again, needs no space.
        if self.is_blocked && needs_space && !decision.records.is_empty() {
            return reply.send_result(Err(Error::NoSpace));
        }
        let durability = decision.durability;
        let answer = match self.apply_decision(decision, body) {
            Ok(answer) => answer,
            Err(error) => return reply.send_result(Err(error)),
        };
        match (answer, token) {
            (Some(answer), _) if is_append && durability == Durability::Volatile => {
                self.answer_sealed(reply, answer);
            }
            (Some(answer), _) => self.answer(reply, answer, durability),
            (None, Some(token)) => drop(self.deferred.insert(token, Deferred::Reply(reply))),
            (None, None) => {}
        }
        if ends_session {
            self.clean_up();
            self.take_up_owed();
        }
    }

    /// Answers when what has been decided so far is as durable as asked.
    pub(super) fn answer(
        &mut self,
        reply: ReplyTo,
        answer: Result<Reply, stele_core_engine::Error>,
        durability: Durability,
    ) {
        if let ReplyTo::Nobody = reply {
            return;
        }
        match self.waiting_for(durability) {
            Some(waiting) => waiting.replies.push((durability, reply, answer)),
            None => reply.send(answer),
        }
    }

    /// Answers an append that needs no disk: once the block being filled is finished, since until
    /// then nobody could read what was appended.
    fn answer_sealed(&mut self, reply: ReplyTo, answer: Result<Reply, stele_core_engine::Error>) {
        if self.builder.is_empty() {
            return reply.send(answer);
        }
        self.waiting
            .back_mut()
            .expect("there is an entry for the block being filled")
            .replies
            .push((Durability::Volatile, reply, answer));
    }

    /// Puts a token of the shard's own into a command whose reply may come later.
    pub(super) fn give_token(&mut self, command: &mut Command) -> Option<Token> {
        let place = match command {
            Command::Log(_, LogCommand::Lease(_, token)) => token,
            Command::Group(_, GroupCommand::Join(_, token) | GroupCommand::Sync(_, token)) => token,
            _ => return None,
        };
        *place = Token(self.next_token);
        self.next_token += 1;
        Some(*place)
    }
}

/// Whether a command is refused while space is short: what adds data for good. Settling, leasing,
/// deleting, offsets and groups go on.
fn adds_data(command: &Command) -> bool {
    match command {
        Command::Append(_) => true,
        Command::Catalogue(command) => matches!(
            command,
            CatalogueCommand::DeclareLog(_)
                | CatalogueCommand::DeclareExchange(_)
                | CatalogueCommand::Bind(_)
        ),
        _ => false,
    }
}
