//! The clients: random requests, one at a time, as fronts would make them on behalf of clients.
//!
//! Each request goes to the real shard; its answer is looked for after every step, and becomes an
//! event for the laws to judge.

mod commit;
mod consume;
mod define;
mod drain;
mod hang_up;
mod lease;
mod letters;
mod moving;
mod produce;
mod publish;
mod read;
mod settle;
mod strange;
mod watch;

use stele_base_types::{LogId, PartitionIndex, Timestamp};
use stele_core_broker::{AnswerTo, Request};
use stele_core_engine::{Command, Durability, LogDefinition};
use stele_test_disk::Random;
use tokio::sync::oneshot::{Receiver, error::TryRecvError};

use self::{
    commit::Commits, consume::Sessions, define::Definitions, lease::Leases, letters::Letters,
    moving::Moves, produce::Producers, publish::Publishes, settle::Settlements, watch::Watches,
};
use crate::{
    event::{Event, note_beside},
    model::Model,
    process::Process,
};

/// All clients of a run.
#[derive(Debug, Default)]
pub(crate) struct Client {
    ids: u64,
    /// The catalogue, with its version.
    logs: (Option<u64>, Vec<LogDefinition>),
    definitions: Definitions,
    publishes: Publishes,
    producers: Producers,
    sessions: Sessions,
    leases: Leases,
    settlements: Settlements,
    moves: Moves,
    commits: Commits,
    watches: Watches,
    letters: Letters,
}

/// The context of a client's action.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    /// The broker.
    pub process: &'a mut Process,
    /// The source of randomness.
    pub random: &'a mut Random,
    /// The events that happen.
    pub events: &'a mut Vec<Event>,
    /// What is known.
    pub model: &'a Model,
    /// The current time.
    pub now: Timestamp,
}

impl Client {
    /// Clients which, `with_letters`, also use the queues that records leave by themselves.
    pub(crate) fn new(with_letters: bool) -> Self {
        Self {
            letters: Letters::new(with_letters),
            ..Self::default()
        }
    }

    /// Takes one action.
    pub(crate) fn act(&mut self, turn: &mut Turn<'_>) {
        self.look_up(turn);
        type Act = fn(&mut Client, &mut Turn<'_>);
        const ACTS: [(u64, Act); 21] = [
            (4, Client::declare),
            (1, Client::alter),
            (1, Client::delete),
            (24, Client::publish),
            (4, Client::transact),
            (12, Client::produce),
            (2, Client::begin_producer),
            (14, Client::lease),
            (3, Client::open_session),
            (2, Client::close_session),
            (4, Client::subscribe),
            (1, Client::cancel),
            (22, Client::settle),
            (5, Client::move_record),
            (3, Client::extend),
            (1, Client::purge),
            (1, Client::trim),
            (8, Client::read),
            (4, Client::commit),
            (6, Client::strange),
            (3, Client::hang_up),
        ];
        turn.random.weighted(&ACTS)(self, turn);
    }

    /// Looks for answers and deliveries. Answers come first, because what is delivered was
    /// acknowledged no later. Reacting to them may produce more: all of it belongs to this step,
    /// and would otherwise seem to follow the next step's request.
    pub(crate) fn listen(&mut self, turn: &mut Turn<'_>) {
        let mut heard = None;
        while heard != Some(turn.events.len()) {
            heard = Some(turn.events.len());
            self.hear_definitions(turn);
            self.hear_publishes(turn);
            self.hear_producers(turn);
            self.hear_settlements(turn);
            self.hear_moves(turn);
            self.hear_leases(turn);
            self.hear_sessions(turn);
            self.hear_commits(turn);
            self.hear_watches(turn);
        }
    }

    /// Receives what other shards have sent to a shard, as a request to it does first, and listens:
    /// what arrives that way precedes the request.
    fn catch_up(&mut self, turn: &mut Turn<'_>, shard: usize) {
        turn.process.take_link(shard, turn.now);
        let before = std::mem::take(turn.events);
        self.listen(turn);
        note_beside(turn.events);
        let heard = std::mem::replace(turn.events, before);
        turn.events.extend(heard);
    }

    /// The process has ended: requests not answered by now never will be.
    pub(crate) fn forget_process(&mut self, events: &mut Vec<Event>) {
        self.logs.0 = None;
        self.definitions = Definitions::default();
        self.publishes.give_up(events);
        self.producers.give_up(events);
        self.settlements = Settlements::default();
        self.moves = Moves::default();
        self.leases.forget_requests();
        self.sessions = Sessions::default();
        self.commits.forget_requests();
        self.watches.forget_requests();
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    fn look_up(&mut self, turn: &Turn<'_>) {
        let version = Some(turn.process.catalogue_version());
        if self.logs.0 != version {
            let logs = turn.process.catalogue().all_logs().cloned().collect();
            self.logs = (version, logs);
        }
    }

    /// A random log that exists and isn't being deleted.
    fn some_log(
        &self,
        turn: &mut Turn<'_>,
        fits: impl Fn(&LogDefinition) -> bool,
    ) -> Option<LogDefinition> {
        let known = turn.model;
        let logs = self.logs.1.iter();
        let fitting: Vec<_> = logs
            .filter(|log| known.log(log.id).is_some() && fits(log))
            .collect();
        turn.random.pick(&fitting).map(|log| (*log).clone())
    }
}

impl Turn<'_> {
    /// Sends a command; returns where its answer will arrive.
    fn call<C: Command>(&mut self, shard: usize, command: C) -> AnswerTo<C> {
        let (request, answer) = Request::call(command);
        self.process.handle(shard, request, self.now);
        answer
    }

    /// Sends a command whose answer isn't needed.
    fn tell<C: Command>(&mut self, shard: usize, command: C) {
        self.process.handle(shard, Request::tell(command), self.now);
    }

    fn some_partition(&mut self, log: &LogDefinition) -> PartitionIndex {
        PartitionIndex(self.random.below(log.config.partitions.into()) as u32)
    }
}

/// The answer, if it has arrived: `Some(None)` if there will be none.
fn heard<T>(receiver: &mut Receiver<T>) -> Option<Option<T>> {
    match receiver.try_recv() {
        Ok(answer) => Some(Some(answer)),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Closed) => Some(None),
    }
}

/// Takes out the answers that have arrived.
fn take_heard<K, T>(waiting: &mut Vec<(K, Receiver<T>)>) -> Vec<(K, Option<T>)> {
    let mut answers = Vec::new();
    let mut still = Vec::with_capacity(waiting.len());
    for (key, mut receiver) in waiting.drain(..) {
        match heard(&mut receiver) {
            Some(answer) => answers.push((key, answer)),
            None => still.push((key, receiver)),
        }
    }
    *waiting = still;
    answers
}

/// Whether a log is a queue.
fn is_queue(log: &LogDefinition) -> bool {
    log.config.queue.is_some()
}

/// Whether a log keeps everything that it acknowledges.
fn is_synced(log: &LogDefinition) -> bool {
    log.config.durability == Durability::Synced
}

/// The shard for commands to a log.
fn shard_of(turn: &Turn<'_>, log: LogId) -> usize {
    turn.process.shard_of(log)
}
