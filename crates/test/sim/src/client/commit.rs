//! Groups: committing and reading offsets, and members that come and go.

use stele_base_types::{Name, Offset, PartitionId};
use stele_core_broker::{AnswerTo, Request};
use stele_core_engine::{
    CommitOffset, CommitOffsets, FetchOffsets, Heartbeat, JoinGroup, LeaveGroup, SyncGroup,
};
use tokio::sync::oneshot;

use super::{Client, Turn, heard, take_heard};
use crate::event::{Commit, Event};

/// Commits that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Commits {
    asked: Vec<(Commit, AnswerTo<CommitOffsets>)>,
    /// Grows with every commit, so that each is unique.
    last: u64,
}

impl Commits {
    pub(super) fn forget_requests(&mut self) {
        self.asked.clear();
    }
}

const GROUPS: [&str; 2] = ["readers", "others"];

impl Client {
    pub(super) fn commit(&mut self, turn: &mut Turn<'_>) {
        let choice = turn.random.below(3);
        let place = turn.random.place(GROUPS.len());
        let group = Name::new(GROUPS[place]).expect("a short name");
        let shard = place % turn.process.shard_count();
        if choice == 0 {
            return self.meet(turn);
        }
        let Some(log) = self.some_log(turn, |_| true) else {
            return;
        };
        let partition = PartitionId::new(log.id, turn.some_partition(&log));
        if choice == 1 {
            return read_offset(turn, shard, group, partition);
        }
        self.commits.last += 1;
        let commit = Commit {
            group: group.clone(),
            partition,
            offset: Offset(self.commits.last),
        };
        turn.events.push(Event::Committing(commit.clone()));
        let command = CommitOffsets {
            group,
            member: Box::default(),
            instance: None,
            generation: -1,
            offsets: vec![CommitOffset {
                partition,
                offset: commit.offset,
                leader_epoch: -1,
                metadata: Box::default(),
            }],
        };
        let answer = turn.call(shard, command);
        self.commits.asked.push((commit, answer));
    }

    pub(super) fn hear_commits(&mut self, turn: &mut Turn<'_>) {
        for (commit, answer) in take_heard(&mut self.commits.asked) {
            if let Some(Ok(results)) = answer
                && results.iter().all(Result::is_ok)
            {
                turn.events.push(Event::Committed(commit));
            }
        }
    }

    /// Members of a separate group join, leave and send heartbeats, for the records that this
    /// leaves behind.
    fn meet(&mut self, turn: &mut Turn<'_>) {
        let member: Box<str> = format!("m{}", turn.random.below(3)).into();
        let generation = turn.random.between(1, 6) as i32;
        let read = self.some_log(turn, |_| true);
        let read = read.map(|log| PartitionId::new(log.id, turn.some_partition(&log)));
        let group = Name::new("members").expect("a short name");
        let request = match turn.random.below(4) {
            0 => Request::Join {
                join: Box::new(join(group, member, turn)),
                reply: oneshot::channel().0,
            },
            1 => Request::Sync {
                sync: Box::new(SyncGroup {
                    group,
                    assignments: vec![(member.clone(), b"part".as_slice().into())],
                    reads: read.into_iter().collect(),
                    member,
                    instance: None,
                    generation,
                    protocol_type: None,
                    protocol: None,
                }),
                reply: oneshot::channel().0,
            },
            2 => Request::tell(Heartbeat {
                group,
                member,
                instance: None,
                generation,
            }),
            _ => Request::tell(LeaveGroup {
                group,
                members: vec![(member, None)],
            }),
        };
        turn.process.handle(0, request, turn.now);
    }
}

fn join(group: Name, member: Box<str>, turn: &mut Turn<'_>) -> JoinGroup {
    let is_first = turn.random.once_in(2);
    JoinGroup {
        group,
        member: if is_first {
            Box::default()
        } else {
            member.clone()
        },
        member_new: member,
        instance: None,
        client_id: "sim".into(),
        client_host: "sim".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![("range".into(), Box::default())],
        member_id_required: false,
        gathering_ms: if turn.random.once_in(3) { 500 } else { 0 },
    }
}

fn read_offset(turn: &mut Turn<'_>, shard: usize, group: Name, partition: PartitionId) {
    let fetch = FetchOffsets {
        group: group.clone(),
        partitions: Some(vec![partition]),
    };
    let mut answer = turn.call(shard, fetch);
    if let Some(Some(Ok(mut entries))) = heard(&mut answer)
        && let Some(entry) = entries.pop()
    {
        turn.events.push(Event::OffsetRead {
            group,
            partition,
            offset: entry.committed.map(|committed| committed.offset),
        });
    }
}
