use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionId, PartitionIndex, Timestamp};

use super::*;
use crate::{Command, Decision, Effect, Record, State, Token};

mod gathering;
mod limits;
mod offsets;
mod random;
mod rebalances;
mod restarts;
mod statics;

const SESSION_MS: u32 = 10_000;
const REBALANCE_MS: u32 = 60_000;

/// The groups, of which the test drives `g`.
#[derive(Default)]
struct Driven {
    state: State,
    now: Timestamp,
    tokens: u64,
    answers: BTreeMap<Token, Answer>,
    journal: Vec<(Name, GroupRecord)>,
}

/// The answer to a join or a sync.
#[derive(Debug)]
enum Answer {
    Joined(Result<JoinReply, GroupError>),
    Synced(Result<SyncedGroup, GroupError>),
}

fn group() -> Name {
    Name::new("g").unwrap()
}

fn join(member: &str) -> JoinGroup {
    JoinGroup {
        group: group(),
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
        gathering_ms: 0,
    }
}

/// A first join that gets the id `member`.
fn first(member: &str) -> JoinGroup {
    JoinGroup {
        member_new: member.into(),
        ..join("")
    }
}

fn supporting(join: JoinGroup, protocols: &[&str]) -> JoinGroup {
    let with_metadata = |name: &&str| ((*name).into(), name.as_bytes().into());
    JoinGroup {
        protocols: protocols.iter().map(with_metadata).collect(),
        ..join
    }
}

impl Driven {
    /// Executes a command and the steps that follow from it.
    fn run<C: Command>(&mut self, command: C) -> Result<C::Reply, C::Error> {
        let decided = command.decide(&self.state, self.now);
        let reply = decided.map(|decision| self.carry_out(decision));
        self.catch_up();
        reply
    }

    fn carry_out<R>(&mut self, decision: Decision<R>) -> R {
        for record in decision.records {
            let Record::Group(name, record) = record else {
                panic!("not a group's: {record:?}");
            };
            self.state.groups.apply(&name, &record);
            if record.is_journalled() {
                self.journal.push((name, record));
            }
        }
        for effect in decision.effects {
            match effect {
                Effect::Joined(token, joined) => {
                    self.note(token, Answer::Joined(joined.map(JoinReply::Joined)));
                }
                Effect::Synced(token, synced) => self.note(token, Answer::Synced(synced)),
                other => panic!("{other:?}"),
            }
        }
        decision.reply
    }

    fn note(&mut self, token: Token, answer: Answer) {
        let former = self.answers.insert(token, answer);
        assert!(former.is_none(), "{token:?} was answered twice");
    }

    /// Does everything that is due.
    fn catch_up(&mut self) {
        for _ in 0..1_000 {
            if self
                .state
                .groups
                .next_deadline()
                .is_none_or(|due| due > self.now)
            {
                return;
            }
            let decision = self.state.tick(self.now);
            assert!(!decision.is_nothing(), "due, and nothing to do");
            self.carry_out(decision);
        }
        panic!("time stands still");
    }

    /// Lets time pass, stopping at each deadline.
    fn pass(&mut self, duration_ms: u64) {
        let end = self.now.plus_ms(duration_ms);
        while let Some(due) = self.state.groups.next_deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.catch_up();
        }
        self.now = end;
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// Joins; returns the token of the answer.
    fn join(&mut self, join: JoinGroup) -> Token {
        let token = self.token();
        let decided = join.decide(token, &self.state, self.now);
        let reply = decided.map(|decision| self.carry_out(decision));
        if let Some(reply) = reply.transpose() {
            self.note(token, Answer::Joined(reply));
        }
        self.catch_up();
        token
    }

    fn joined(&mut self, token: Token) -> JoinedGroup {
        match self.answers.remove(&token) {
            Some(Answer::Joined(Ok(JoinReply::Joined(joined)))) => *joined,
            other => panic!("{other:?}"),
        }
    }

    fn invited(&mut self, token: Token) -> String {
        match self.answers.remove(&token) {
            Some(Answer::Joined(Ok(JoinReply::Invited(member)))) => member.into(),
            other => panic!("{other:?}"),
        }
    }

    fn error(&mut self, token: Token) -> GroupError {
        match self.answers.remove(&token) {
            Some(Answer::Joined(Err(error)) | Answer::Synced(Err(error))) => error,
            other => panic!("{other:?}"),
        }
    }

    fn sync(&mut self, member: &str, generation: i32, assignments: &[(&str, &str)]) -> Token {
        let assigned = |(member, part): &(&str, &str)| ((*member).into(), part.as_bytes().into());
        self.ask_to_sync(SyncGroup {
            group: group(),
            member: member.into(),
            instance: None,
            generation,
            protocol_type: None,
            protocol: None,
            assignments: assignments.iter().map(assigned).collect(),
            reads: Vec::new(),
        })
    }

    fn ask_to_sync(&mut self, sync: SyncGroup) -> Token {
        let token = self.token();
        let decided = sync.decide(token, &self.state, self.now);
        let reply = decided.map(|decision| self.carry_out(decision));
        if let Some(reply) = reply.transpose() {
            self.note(token, Answer::Synced(reply));
        }
        self.catch_up();
        token
    }

    fn assignment(&mut self, token: Token) -> String {
        match self.answers.remove(&token) {
            Some(Answer::Synced(Ok(synced))) => {
                String::from_utf8(synced.assignment.into_vec()).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, member: &str, generation: i32) -> Result<HeartbeatReply, GroupError> {
        self.run(Heartbeat {
            group: group(),
            member: member.into(),
            instance: None,
            generation,
        })
    }

    fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        let leave = LeaveGroup {
            group: group(),
            members: vec![(member.into(), instance.map(Box::from))],
        };
        self.run(leave)?.remove(0)
    }

    fn commit(&mut self, member: &str, generation: i32, offset: u64) -> Result<(), GroupError> {
        let commit = CommitOffsets {
            group: group(),
            member: member.into(),
            instance: None,
            generation,
            offsets: vec![commit_of(0, offset)],
        };
        self.run(commit)?.remove(0)
    }

    fn committed(&mut self, partition: u32) -> Option<u64> {
        let fetch = FetchOffsets {
            group: group(),
            partitions: Some(vec![partition_of(partition)]),
        };
        let committed = self.run(fetch).unwrap().remove(0).committed;
        committed.map(|committed| committed.offset.0)
    }

    fn describe(&mut self) -> GroupDescription {
        self.run(DescribeGroup { group: group() }).unwrap()
    }

    fn state(&mut self) -> &'static str {
        self.describe().listing.state
    }

    /// Two members in a stable group, with `a` as the leader.
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
