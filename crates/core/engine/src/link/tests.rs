mod commits;
mod moves;

use std::collections::VecDeque;

use stele_base_types::{Name, Timestamp};

use super::*;
use crate::{
    AlterLog, Command, Decision, DeclareLog, DeleteLog, Durability, Effect, LedgerConfig, Lifetime,
    LogError, Record, Retention, State, Token,
};

const OTHER: ShardId = ShardId(1);

fn sent(log: u64) -> LinkRecord {
    LinkRecord::Sent {
        to: OTHER,
        command: LinkCommand::Forget { log: LogId(log) },
    }
}

fn acknowledged(through: u64) -> LinkRecord {
    LinkRecord::Acknowledged {
        by: OTHER,
        through: LinkNumber(through),
    }
}

fn waiting(links: &Links) -> Vec<u64> {
    let waiting = links.unacknowledged();
    waiting.map(|(_, number, _)| number.0).collect()
}

#[test]
fn what_is_not_acknowledged_is_kept_with_its_number() {
    let mut links = Links::default();
    for log in 0..3 {
        links.apply(&sent(log));
    }
    assert_eq!(waiting(&links), [1, 2, 3]);
    links.apply(&acknowledged(2));
    assert_eq!((waiting(&links), links.backlog()), (vec![3], 1));
    // A late acknowledgement changes nothing; one of a command never sent is ignored.
    links.apply(&acknowledged(1));
    assert_eq!(links.acknowledged(OTHER), LinkNumber(2));
    links.apply(&acknowledged(9));
    assert_eq!(links.acknowledged(OTHER), LinkNumber(3));
    links.apply(&sent(3));
    assert_eq!(
        (waiting(&links), links.sent(OTHER)),
        (vec![4], LinkNumber(4))
    );
}

#[test]
fn only_the_next_number_is_taken() {
    let mut links = Links::default();
    assert!(links.is_next(OTHER, LinkNumber(1)));
    links.apply(&LinkRecord::Taken { from: OTHER });
    for (number, is_next) in [(1, false), (2, true), (3, false)] {
        assert_eq!(links.is_next(OTHER, LinkNumber(number)), is_next);
    }
    assert_eq!(links.taken(OTHER), LinkNumber(1));
    assert!(links.is_next(ShardId(2), LinkNumber(1)));
}

const NOW: Timestamp = Timestamp(1_000);

/// A shard and its journal on disk.
struct Shard {
    state: State,
    journal: Vec<Record>,
    deleted: Vec<u64>,
}

/// Two shards, and the commands in flight.
struct Pair {
    shards: [Shard; 2],
    on_way: VecDeque<(ShardId, ShardId, LinkNumber, LinkCommand)>,
}

impl Shard {
    fn new(own: u16) -> Self {
        let mut shard = Self {
            state: State::default(),
            journal: Vec::new(),
            deleted: Vec::new(),
        };
        shard.set_topology(own);
        shard
    }

    fn set_topology(&mut self, own: u16) {
        let own = ShardId(own);
        self.state.set_topology(Topology { own, shards: 2 });
    }

    fn apply<R>(&mut self, decision: Decision<R>) -> R {
        for record in decision.records {
            self.state.apply(&record);
            self.journal
                .extend(record.is_journalled().then_some(record));
        }
        let deleted = decision
            .effects
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Deleted(_, ready) => Some(ready),
                _ => None,
            });
        self.deleted.extend(deleted);
        decision.reply
    }
}

impl Pair {
    fn new() -> Self {
        Self {
            shards: [Shard::new(0), Shard::new(1)],
            on_way: VecDeque::new(),
        }
    }

    /// Declares the next log with this name; those with odd numbers belong to shard 1.
    fn declare(&mut self, name: &str) -> LogId {
        self.declare_as(name, LedgerConfig::default())
    }

    fn declare_as(&mut self, name: &str, queue: LedgerConfig) -> LogId {
        self.declare_with(name, queue, Durability::Synced)
    }

    fn declare_with(&mut self, name: &str, queue: LedgerConfig, class: Durability) -> LogId {
        let declare = DeclareLog {
            vhost: Name::vhost_default(),
            name: Name::new(name).unwrap(),
            config: LogConfig {
                partitions: 1,
                durability: class,
                retention: Retention::QUEUE,
                lifetime: Lifetime::default(),
                queue: Some(queue),
            },
            adopt: Default::default(),
            facet: "amqp".into(),
            settings: Default::default(),
        };
        let catalogue = &mut self.shards[0];
        let decision = declare.decide(&catalogue.state, NOW).unwrap();
        catalogue.apply(decision).definition().id
    }

    fn delete(&mut self, log: LogId) -> Result<Option<u64>, LogError> {
        let owner = &mut self.shards[(log.0 % 2) as usize];
        let decided = DeleteLog::anyway(log).decide(Token(7), &owner.state, NOW)?;
        Ok(owner.apply(decided))
    }

    /// Sends all unacknowledged commands, again if they were sent before.
    fn send(&mut self) {
        for (from, shard) in (0..).map(ShardId).zip(&self.shards) {
            let unacknowledged = shard.state.links.unacknowledged();
            let sent = unacknowledged.map(|(to, number, it)| (from, to, number, it.clone()));
            self.on_way.extend(sent);
        }
    }

    /// Takes the next command; returns whether there was one.
    fn take(&mut self) -> bool {
        let Some((from, to, number, command)) = self.on_way.pop_front() else {
            return false;
        };
        let taker = &mut self.shards[usize::from(to.0)];
        let decision = match command {
            LinkCommand::Move(moving) => {
                let fitting = taker.state.fitting(&moving, NOW);
                let first = moving.run.first(fitting, 100, NOW);
                taker.state.take_first(from, number, &moving, &first, NOW)
            }
            _ => taker.state.take(from, number, command, NOW),
        };
        taker.apply(decision);
        true
    }

    fn acknowledge(&mut self) {
        for (by, from) in [(0, 1), (1, 0)] {
            let taken = self.shards[by].state.links.taken(ShardId(from as u16));
            let sender = &mut self.shards[from];
            let decision = sender.state.acknowledged(ShardId(by as u16), taken);
            sender.apply(decision);
        }
    }

    fn deliver_all(&mut self) {
        while self
            .shards
            .iter()
            .any(|shard| shard.state.links.backlog() > 0)
        {
            self.send();
            while self.take() {}
            self.acknowledge();
        }
    }

    /// Crashes a shard: it has what is on disk, and commands in flight are lost.
    fn crash(&mut self, shard: u16) {
        self.on_way.clear();
        let crashed = &mut self.shards[usize::from(shard)];
        crashed.state = State::default();
        crashed.set_topology(shard);
        for record in &crashed.journal {
            crashed.state.apply(record);
        }
    }

    /// Starts a new process with a shard's journal on disk.
    fn restart(&mut self, shard: u16) {
        self.crash(shard);
        let shard = &mut self.shards[usize::from(shard)];
        let epoch = shard.state.next_epoch();
        loop {
            let decision = shard.state.recover(epoch, NOW);
            if decision.is_nothing() {
                break;
            }
            shard.apply(decision);
        }
    }

    /// Whether the log is defined, and whether it is open.
    fn has(&self, log: LogId) -> (bool, bool) {
        let owner = &self.shards[(log.0 % 2) as usize];
        let is_defined = self.shards[0].state.catalogue.log_by_id(log).is_some();
        (is_defined, owner.state.logs.log(log).is_some())
    }
}

#[test]
fn a_log_of_the_catalogues_own_shard_is_open_and_gone_at_once() {
    let mut pair = Pair::new();
    let log = pair.declare("here");
    assert_eq!(pair.has(log), (true, true));
    assert_eq!(pair.delete(log), Ok(Some(0)));
    assert_eq!(pair.has(log), (false, false));
    assert_eq!(pair.shards[0].state.logs.closed().count(), 0);
    assert_eq!(pair.delete(log), Err(LogError::NoSuchLog));
    assert_eq!(pair.shards[0].state.links, Links::default());
}

#[test]
fn a_log_elsewhere_is_opened_by_its_definition_and_answered_when_that_is_gone() {
    let mut pair = Pair::new();
    pair.declare("here");
    let log = pair.declare("there");
    assert_eq!(pair.has(log), (true, false));
    pair.deliver_all();
    assert_eq!(pair.has(log), (true, true));
    // A second deletion meanwhile waits for the same end.
    assert_eq!(pair.delete(log), Ok(None));
    assert_eq!(pair.delete(log), Ok(None));
    assert_eq!(pair.has(log), (true, false));
    pair.deliver_all();
    assert_eq!(pair.has(log), (false, false));
    assert_eq!(pair.shards[1].deleted, [0, 0]);
    assert_eq!(pair.delete(log), Err(LogError::NoSuchLog));
    assert_eq!(pair.shards[1].state.logs.closed().count(), 0);
}

#[test]
fn what_comes_twice_late_or_after_a_gap_changes_nothing_more() {
    let mut pair = Pair::new();
    for name in ["0", "1", "2", "3"] {
        pair.declare(name);
    }
    pair.send();
    pair.send();
    // The first one is lost, and arrives after the second.
    let first = pair.on_way.pop_front().unwrap();
    assert!(pair.take());
    assert_eq!(pair.has(LogId(3)), (true, false));
    pair.on_way.push_back(first);
    while pair.take() {}
    assert_eq!(pair.shards[1].state.links.taken(ShardId(0)), LinkNumber(2));
    let opened = pair.shards[1].journal.len();
    pair.send();
    while pair.take() {}
    assert_eq!(pair.shards[1].journal.len(), opened);
}

#[test]
fn a_deletion_is_carried_through_whichever_shard_crashes_after_whichever_step() {
    for crashing in [0, 1] {
        for steps in 0..4 {
            let mut pair = Pair::new();
            pair.declare("here");
            let log = pair.declare("there");
            pair.deliver_all();
            pair.delete(log).unwrap();
            for _ in 0..steps {
                pair.send();
                pair.take();
                pair.acknowledge();
            }
            pair.crash(crashing);
            pair.deliver_all();
            assert_eq!(pair.has(log), (false, false), "{crashing} after {steps}");
            assert_eq!(pair.shards[1].state.logs.closed().count(), 0);
        }
    }
}

#[test]
fn a_log_that_went_with_its_process_is_not_opened_again_by_what_was_sent_before() {
    let mut pair = Pair::new();
    pair.declare("here");
    let log = pair.declare_with("there", LedgerConfig::default(), Durability::Volatile);
    pair.deliver_all();
    let alter = AlterLog {
        partitions: Some(2),
        ..AlterLog::nothing(log)
    };
    let catalogue = &mut pair.shards[0];
    let altered = alter.decide(&catalogue.state, NOW).unwrap();
    catalogue.apply(altered);
    pair.restart(0);
    pair.restart(1);
    pair.send();
    for _ in 0..2 {
        assert_eq!(pair.has(log), (false, false));
        assert!(pair.shards[1].state.logs.closed().any(|it| it == log));
        assert!(pair.take());
    }
    assert_eq!(pair.shards[1].state.logs.closed().count(), 0);
    pair.deliver_all();
    assert_eq!(pair.has(log), (false, false));
}
