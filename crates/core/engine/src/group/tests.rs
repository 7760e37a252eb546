use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionId, PartitionIndex, Timestamp};

use super::*;
use crate::{
    Decision, Effect, Error, Record, Reply,
    command::{GroupCommand, Join, SyncGroup, Token},
    reply::{GroupDescription, JoinedGroup},
};

mod offsets;
mod random;
mod rebalances;
mod restarts;
mod statics;

const SESSION_MS: u32 = 10_000;
const REBALANCE_MS: u32 = 60_000;

/// Groups of which one, `g`, is driven.
#[derive(Default)]
struct Driven {
    groups: Groups,
    now: Timestamp,
    tokens: u64,
    answers: BTreeMap<Token, Result<Reply, Error>>,
    journal: Vec<(Name, GroupRecord)>,
}

fn group() -> Name {
    Name::new("g").unwrap()
}

fn join(member: &str) -> Join {
    Join {
        member: member.into(),
        member_new: Box::default(),
        instance: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), b"topics".as_slice().into())],
        member_id_required: false,
    }
}

/// A first join that gets `member` for its id.
fn first(member: &str) -> Join {
    Join {
        member_new: member.into(),
        ..join("")
    }
}

fn supporting(join: Join, protocols: &[&str]) -> Join {
    let with_metadata = |name: &&str| ((*name).into(), name.as_bytes().into());
    Join {
        protocols: protocols.iter().map(with_metadata).collect(),
        ..join
    }
}

impl Driven {
    /// Carries out a command; its answer, if that comes at once.
    fn run(&mut self, command: GroupCommand) -> Option<Result<Reply, Error>> {
        let decision = self.groups.decide(group(), command, self.now);
        let reply = self.carry_out(decision);
        self.settle();
        reply
    }

    fn answer(&mut self, command: GroupCommand) -> Result<Reply, Error> {
        self.run(command).expect("this is answered at once")
    }

    fn carry_out(&mut self, decision: Decision) -> Option<Result<Reply, Error>> {
        for record in decision.records {
            let Record::Group(name, record) = record else {
                panic!("not a group's: {record:?}");
            };
            self.groups.apply(&name, &record);
            if record.is_journalled() {
                self.journal.push((name, record));
            }
        }
        for effect in decision.effects {
            let Effect::Respond(token, answer) = effect else {
                panic!("{effect:?}");
            };
            let former = self.answers.insert(token, answer);
            assert!(former.is_none(), "{token:?} was answered twice");
        }
        decision.reply
    }

    /// Does what is due.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            if self.groups.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            let decision = self.groups.tick(self.now);
            assert!(!decision.is_nothing(), "due, and nothing to do");
            self.carry_out(decision);
        }
        panic!("time stands still");
    }

    /// Lets time pass, stopping at each deadline.
    fn pass(&mut self, duration_ms: u64) {
        let end = self.now.plus_ms(duration_ms);
        while let Some(due) = self.groups.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Joins; the token where the answer will be.
    fn join(&mut self, join: Join) -> Token {
        let token = self.token();
        let reply = self.run(GroupCommand::Join(join, token));
        if let Some(reply) = reply {
            self.answers.insert(token, reply);
        }
        token
    }

    fn joined(&mut self, token: Token) -> JoinedGroup {
        match self.answers.remove(&token) {
            Some(Ok(Reply::Joined(joined))) => *joined,
            other => panic!("{other:?}"),
        }
    }

    fn error(&mut self, token: Token) -> Error {
        match self.answers.remove(&token) {
            Some(Err(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn sync(&mut self, member: &str, generation: i32, assignments: &[(&str, &str)]) -> Token {
        let token = self.token();
        let assigned = |(member, part): &(&str, &str)| ((*member).into(), part.as_bytes().into());
        let sync = SyncGroup {
            member: member.into(),
            instance: None,
            generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments.iter().map(assigned).collect(),
        };
        let reply = self.run(GroupCommand::Sync(sync, token));
        if let Some(reply) = reply {
            self.answers.insert(token, reply);
        }
        token
    }

    fn assignment(&mut self, token: Token) -> String {
        match self.answers.remove(&token) {
            Some(Ok(Reply::Synced { assignment, .. })) => {
                String::from_utf8(assignment.into_vec()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, member: &str, generation: i32) -> Result<(), Error> {
        let answer = self.answer(GroupCommand::Heartbeat {
            member: member.into(),
            instance: None,
            generation,
        });
        answer.map(drop)
    }

    fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), Error> {
        let named = vec![(member.into(), instance.map(Box::from))];
        match self.answer(GroupCommand::Leave(named)) {
            Ok(Reply::Left(mut results)) => results.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn commit(&mut self, member: &str, generation: i32, offset: u64) -> Result<(), Error> {
        let answer = self.answer(GroupCommand::Commit {
            member: member.into(),
            instance: None,
            generation,
            offsets: vec![commit_of(0, offset)],
        })?;
        match answer {
            Reply::Committed(mut results) => results.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn committed(&mut self, partition: u32) -> Option<u64> {
        let asked = Some(vec![partition_of(partition)]);
        match self.answer(GroupCommand::Offsets(asked)) {
            Ok(Reply::Offsets(mut entries)) => {
                let committed = entries.remove(0).committed;
                committed.map(|committed| committed.offset.0)
            }
            other => panic!("{other:?}"),
        }
    }

    fn describe(&mut self) -> GroupDescription {
        match self.answer(GroupCommand::Describe) {
            Ok(Reply::Group(description)) => *description,
            other => panic!("{other:?}"),
        }
    }

    fn state(&mut self) -> &'static str {
        self.describe().listing.state
    }

    /// Two members, `a` leading, at work.
    fn pair(&mut self) -> i32 {
        let a = self.join(first("a"));
        self.joined(a);
        let b = self.join(first("b"));
        let a = self.join(join("a"));
        let (a, b) = (self.joined(a), self.joined(b));
        assert_eq!(a.generation, b.generation);
        let waiting = self.sync("b", a.generation, &[]);
        let leading = self.sync("a", a.generation, &[("a", "0"), ("b", "1")]);
        assert_eq!(self.assignment(leading), "0");
        assert_eq!(self.assignment(waiting), "1");
        assert_eq!(self.state(), "Stable");
        a.generation
    }
}

fn partition_of(index: u32) -> PartitionId {
    PartitionId::new(LogId(1), PartitionIndex(index))
}

fn commit_of(partition: u32, offset: u64) -> CommitOffset {
    CommitOffset {
        partition: partition_of(partition),
        offset: Offset(offset),
        leader_epoch: -1,
        metadata: Box::default(),
    }
}
