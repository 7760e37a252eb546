//! Transactions: messages and settlements that are committed as one change, on any shards.
//!
//! ```text
//!  queues that refuse what is too much, on other shards:  Admit
//!  the shard with the settlements:  Commit ─► on disk ─► Event::Committed      final
//!                                     └─ the link ─► each other shard's part
//!  the other shards:  Barrier                             all of it can be seen
//! ```

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use smallvec::SmallVec;
use stele_base_types::{LogId, ShardId};
use stele_core_engine::{
    Admit, AppendError, Barrier, Commit, CommitPart, LogError, PartAppend, PartBody, PartSettle,
    Settle,
};

use crate::{
    Error, Publish, Session, Share, mailbox::Mailbox, opening::sizes_in, request::Request,
};

/// What is to be committed.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Batches without producers and deduplication ids, in order.
    pub publishes: Vec<Publish>,
    /// Settlements.
    pub settles: Vec<Settle>,
}

/// A transaction that was sent to its shard.
#[derive(Debug)]
pub struct Sent {
    /// For each batch that the shard itself appends: its position among the transaction's, if
    /// nobody else appends it.
    positions: Vec<Option<usize>>,
    /// The shards with the other parts.
    elsewhere: Vec<ShardId>,
}

/// A commit on its way to its shard.
#[derive(Debug)]
pub struct CommitRequest {
    pub(crate) commit: Commit,
    pub(crate) bodies: Vec<Bytes>,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Transaction {
    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.publishes.is_empty() && self.settles.is_empty()
    }

    fn first_log(&self) -> Option<LogId> {
        let settled = self.settles.iter().map(|settle| settle.log);
        let published = self.publishes.iter().flat_map(|publish| &publish.targets);
        settled.chain(published.map(|target| target.log)).next()
    }
}

impl Session {
    /// Commits a transaction that holds `room` of the memory: all of it or nothing, also after a
    /// crash. [`Event::Committed`](crate::Event::Committed) follows, when that is final. Fails if
    /// a queue of another shard is full; then nothing was changed.
    pub async fn commit(
        &self,
        transaction: Transaction,
        room: Share,
    ) -> Result<Sent, Error<AppendError>> {
        let own = transaction.first_log().map(|log| self.shard_of(log));
        let own = own.unwrap_or_default();
        self.admit(&transaction, own).await?;
        let mut commit = Commit::default();
        let mut bodies = Vec::new();
        let mut positions = Vec::new();
        let mut parts = BTreeMap::<ShardId, CommitPart>::new();
        for (position, publish) in transaction.publishes.into_iter().enumerate() {
            let divided = self.broker().by_shard(publish);
            let is_whole = divided.len() == 1;
            for (shard, publish) in divided {
                if shard != own {
                    let part = parts.entry(shard).or_default();
                    part.appends.push(part_of(publish));
                    continue;
                }
                let (append, body) = publish.split();
                commit.appends.push(append);
                bodies.push(body);
                positions.push(is_whole.then_some(position));
            }
        }
        for settle in transaction.settles {
            let shard = self.shard_of(settle.log);
            if shard != own {
                let part = parts.entry(shard).or_default();
                part.settles.push(PartSettle {
                    log: settle.log,
                    ledger: settle.ledger,
                    items: settle.items.into_vec(),
                    outcome: settle.outcome,
                });
                continue;
            }
            commit.settles.push(Settle {
                durable: true,
                ..settle
            });
        }
        let elsewhere = parts.keys().copied().collect();
        commit.elsewhere = parts.into_values().collect();
        let mailbox = Arc::clone(self.mailbox());
        let committing = Box::new(CommitRequest::new(commit, bodies, mailbox));
        let request = Request::Commit { committing, room };
        self.broker().send(own, request).await;
        Ok(Sent {
            positions,
            elsewhere,
        })
    }

    /// Waits until all of a transaction that is committed can be seen.
    pub async fn see_committed(&self, sent: &Sent) -> Result<(), Error<LogError>> {
        for shard in &sent.elsewhere {
            self.broker().call(*shard, Barrier).await?;
        }
        Ok(())
    }

    /// Checks that the queues of other shards which refuse messages take these.
    async fn admit(
        &self,
        transaction: &Transaction,
        own: ShardId,
    ) -> Result<(), Error<AppendError>> {
        let mut counts = BTreeMap::<ShardId, BTreeMap<LogId, (u64, u64)>>::new();
        {
            let catalogue = self.broker().catalogue();
            for publish in &transaction.publishes {
                for target in &publish.targets {
                    let shard = self.shard_of(target.log);
                    if shard != own && catalogue.refuse(&[target.log]) {
                        let counts = counts.entry(shard).or_default();
                        let (records, bytes) = counts.entry(target.log).or_default();
                        let sizes = sizes_in(publish.batch.bytes()).unwrap_or_default();
                        *records += sizes.len() as u64;
                        *bytes += sizes.into_iter().map(u64::from).sum::<u64>();
                    }
                }
            }
        }
        for (shard, counts) in counts {
            let counts = counts.into_iter().collect();
            self.broker().call(shard, Admit { counts }).await?;
        }
        Ok(())
    }
}

impl Sent {
    /// The position among the transaction's batches of one that no queue took, by its position in
    /// [`Event::Committed`](crate::Event::Committed). `None` if other shards have queues for it.
    pub fn position(&self, gone: usize) -> Option<usize> {
        *self.positions.get(gone)?
    }
}

impl CommitRequest {
    /// A commit with the bodies of its own appends, answered to a session.
    pub fn new(commit: Commit, bodies: Vec<Bytes>, mailbox: Arc<Mailbox>) -> Self {
        Self {
            commit,
            bodies,
            mailbox,
        }
    }

    /// The estimated journal bytes: parts for other shards are written here and there.
    pub(crate) fn size_bytes(&self) -> usize {
        let elsewhere = self.commit.elsewhere.iter().flat_map(|part| &part.appends);
        let elsewhere: usize = elsewhere.map(|append| append.body.0.len()).sum();
        self.bodies.iter().map(Bytes::len).sum::<usize>() + 2 * elsewhere
    }

    /// How many records it appends.
    pub(crate) fn count(&self) -> u32 {
        self.commit.appends.iter().map(|append| append.count).sum()
    }

    /// Whether it adds no messages, but only takes some away.
    pub(crate) fn only_settles(&self) -> bool {
        self.commit.appends.is_empty()
            && self.commit.elsewhere.iter().all(|it| it.appends.is_empty())
    }
}

fn part_of(publish: Publish) -> PartAppend {
    let (mut append, body) = publish.split();
    // Its queues may limit the bytes of their messages, which isn't known here.
    if !append.columns.has_body_bytes() {
        append
            .columns
            .set_body_bytes(sizes_in(&body).unwrap_or_default());
    }
    let targets: SmallVec<[LogId; 4]> = append.targets.iter().map(|target| target.log).collect();
    let schedules = append.columns.schedules(append.count);
    let schedules = match append.columns == stele_core_engine::Columns::default() {
        true => Vec::new(),
        false => schedules.collect(),
    };
    PartAppend {
        targets: targets.into_vec(),
        count: append.count,
        timestamp: append.timestamp,
        schedules,
        body: PartBody(Arc::from(&body[..])),
    }
}
