//! Fetch (key 1), versions 4 to 18.
//!
//! Reads batches as they are stored, without copying them into the response. Waits for `min_bytes`
//! or `max_wait_ms`; a partition that can't be read ends the wait. The first batch of the response
//! is returned whole whatever the limits (KIP-74), and may begin before the requested offset, as in
//! Kafka.
//!
//! Deviations: a fetch session belongs to its connection. A response has at most 16 MiB of records
//! unless its first batch is larger, and only whole batches. The rack is ignored, because there is
//! one broker, and a fetch by a follower is refused. Without transactions both isolation levels see
//! the same.
//!
//! Spec: `FetchRequest.json`; KIP-74 (limits), KIP-227 (sessions), KIP-320 (epochs), KIP-516
//! (topic ids).

use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use stele_base_types::{Offset, PartitionId};
use stele_core_broker::{Action, Failure, Memory, Read, ReadError, ReadReply, Share};
use stele_wire_batch::Batch;
use stele_wire_kafka::{
    RequestHeader, ResponseError, StrBytes, decode,
    fetch::{self, FetchPartition, FetchResponse, FetchTopic},
    messages::FetchRequest,
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{Running, position};
use crate::{
    errors::Fault,
    fetch_session::{PartitionKey, Plan, Shown, TopicKey, Wanted},
    limits::FETCH_SIZE_BYTES_MAX,
    refusal::Refusal as _,
    session::{Answer, Session},
    topics::{Bounds, check_leader_epoch, partition_of},
};

pub(crate) const VERSIONS: (i16, i16) = (4, 18);

pub(crate) fn run(session: &mut Session, header: RequestHeader, body: Bytes) -> Running<'_> {
    Box::pin(async move {
        let request: FetchRequest = decode(header.api_version, body)?;
        let (response, room) = respond(session, &header, &request).await;
        if response.is_refusal() {
            session.meter.error(position(header.api_key), 1);
        }
        Ok(Answer::Records(fetch::encode(&header, &response)?, room))
    })
}

async fn respond(
    session: &mut Session,
    header: &RequestHeader,
    request: &FetchRequest,
) -> (FetchResponse, Share) {
    // Session ids are positive; repeating after 2^31 sessions is harmless.
    let id_new = (session.broker.next_id() % i32::MAX as u64) as i32 + 1;
    let current = session.fetch_session.take();
    let plan = match Plan::new(header.api_version, request, current, id_new) {
        Ok(plan) => plan,
        Err(error) => {
            let refusal = FetchResponse {
                error_code: error.code(),
                ..FetchResponse::default()
            };
            return (refusal, Share::NONE);
        }
    };
    let (fetched, room) = fetch_plan(session, request, &plan).await;
    let is_committed = request.isolation_level != 0;
    let (response, plan) = response(plan, fetched, is_committed);
    session.fetch_session = plan.session;
    (response, room)
}

/// The content fetched from a partition.
type Fetched = Result<Content, Fault>;

struct Content {
    partition: PartitionId,
    bounds: Bounds,
    batches: Vec<Batch>,
}

impl Content {
    fn size_bytes(&self) -> usize {
        self.batches.iter().map(|it| it.bytes().len()).sum()
    }
}

/// Fetches until there is enough data or the time is over.
async fn fetch_plan(
    session: &Session,
    request: &FetchRequest,
    plan: &Plan,
) -> (Vec<Fetched>, Share) {
    let is_follower = *request.replica_id >= 0 || *request.replica_state.replica_id >= 0;
    if is_follower {
        let refused = || Err(ResponseError::ReplicaNotAvailable.into());
        let refused = plan.items.iter().map(|_| refused()).collect();
        return (refused, Share::NONE);
    }
    let max_wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(max_wait_ms);
    let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
    let budget = usize::try_from(request.max_bytes)
        .unwrap_or(0)
        .min(FETCH_SIZE_BYTES_MAX);
    let mut is_over = false;
    loop {
        let (fetched, is_cut, room) = fetch_once(session, plan, budget).await;
        let size_bytes: usize = fetched.iter().flatten().map(Content::size_bytes).sum();
        let is_enough = is_cut || size_bytes >= min_bytes.min(budget);
        let has_fault = fetched.iter().any(Result::is_err);
        if is_enough || has_fault || is_over || fetched.is_empty() {
            return (fetched, room);
        }
        let ends = fetched.iter().flatten();
        let ends: Vec<_> = ends.map(|it| (it.partition, it.bounds.committed)).collect();
        let watch = session.broker.watch(&ends).await;
        // No memory is held during the wait: the data is read again.
        let nothing = (room.bytes() == 0).then_some(fetched);
        drop(room);
        is_over = timeout_at(deadline, watch.changed()).await.is_err();
        if let Some(nothing) = nothing
            && is_over
        {
            return (nothing, Share::NONE);
        }
    }
}

/// Reads each partition once, within `budget` bytes in total. Also returns whether available data
/// was left out, so that there is no need to wait, and the memory of the batches.
async fn fetch_once(session: &Session, plan: &Plan, budget: usize) -> (Vec<Fetched>, bool, Share) {
    let reads: Vec<_> = plan
        .items
        .iter()
        .map(|(key, wanted)| read_of(session, key, wanted, budget))
        .collect();
    let possible: Vec<Read> = reads.iter().flatten().map(|it| it.read).collect();
    let sum: usize = possible.iter().map(|it| it.bytes_max).sum();
    // If all limits together stay within the budget, one request per shard is enough.
    let is_one_pass = possible.len() <= 1 || sum <= budget;
    let first_pass = match is_one_pass {
        true => possible,
        false => possible.iter().map(|it| bounds_only(*it)).collect(),
    };
    let answers = match session.broker.read_all(first_pass).await {
        Ok(answers) => answers,
        Err(failure) => {
            let failed = || Err(Fault::from(failure.clone()));
            let failed = plan.items.iter().map(|_| failed()).collect();
            return (failed, false, Share::NONE);
        }
    };
    let there = match is_one_pass {
        true => answers
            .iter()
            .flatten()
            .map(ReadReply::size_bytes_max)
            .sum(),
        // Only the bounds are known.
        false if is_something_there(&reads, &answers) => budget,
        false => 0,
    };
    let memory = session.broker.memory();
    // The first batch is returned whole.
    let first = reads.iter().flatten().map(|it| it.batch_bytes_max).max();
    let budget_max = memory.response_bytes_max().max(first.unwrap_or_default());
    let budget = budget.min(there).min(budget_max);
    let bytes_max = reads.iter().flatten().map(|it| it.read.bytes_max).collect();
    let (answers, to_read) = limited(answers, bytes_max, budget);
    let to_read = to_read.max(if is_one_pass { 0 } else { budget });
    let kind = Memory::kind_of_response(to_read);
    let room = match to_read {
        0 => Share::NONE,
        _ => memory.take(kind, to_read).await,
    };
    let mut answers = answers.into_iter();
    let mut reader = Reader {
        session,
        left: budget,
        room,
        is_first: true,
        is_cut: false,
        is_one_pass,
    };
    let mut fetched = Vec::with_capacity(reads.len());
    for read in reads {
        fetched.push(match read {
            Ok(asked) => match answers.next() {
                Some(answer) => reader.content(asked.read, answer).await,
                None => Err(Failure::Stopping.into()),
            },
            Err(fault) => Err(fault),
        });
    }
    let size_bytes = fetched.iter().flatten().map(Content::size_bytes).sum();
    (fetched, reader.is_cut, fit(reader.room, size_bytes))
}

/// Whether a partition has a requested record.
fn is_something_there(
    reads: &[Result<Asked, Fault>],
    answers: &[Result<ReadReply, ReadError>],
) -> bool {
    let mut asked = reads.iter().flatten().zip(answers);
    asked.any(|(asked, answer)| {
        let committed = answer.as_ref().map(|answer| answer.committed);
        committed.is_ok_and(|committed| asked.read.from < committed)
    })
}

/// Adjusts the share to the size read. The first batch is returned whole, however large.
fn fit(mut room: Share, size_bytes: usize) -> Share {
    match size_bytes > room.bytes() {
        true => room.grow(size_bytes - room.bytes()),
        false => room.shrink_to(size_bytes),
    }
    room
}

/// Limits the reads to `bytes_max` each and `budget` in total, besides the first batch. Also
/// returns how many bytes they read.
fn limited(
    answers: Vec<Result<ReadReply, ReadError>>,
    bytes_max: Vec<usize>,
    budget: usize,
) -> (Vec<Result<ReadReply, ReadError>>, usize) {
    let (mut left, mut to_read) = (budget, 0_usize);
    let limit = |(answer, bytes_max): (Result<ReadReply, ReadError>, usize)| {
        let answer = answer?;
        if left == 0 {
            return Ok(answer.without_batches());
        }
        let wanted = left.min(bytes_max);
        let limited = answer.limited(wanted);
        let size_bytes = limited.size_bytes_max();
        left -= size_bytes.min(wanted);
        to_read = to_read.saturating_add(size_bytes);
        Ok(limited)
    };
    let answers = answers.into_iter().zip(bytes_max).map(limit).collect();
    (answers, to_read)
}

fn bounds_only(read: Read) -> Read {
    Read {
        bytes_max: 0,
        ..read
    }
}

fn read_of(
    session: &Session,
    key: &PartitionKey,
    wanted: &Wanted,
    budget: usize,
) -> Result<Asked, Fault> {
    let topics = session.topics();
    let topic = match &key.topic {
        TopicKey::Name(name) => topics.by_name(name, Action::Read),
        TopicKey::Id(id) => topics.by_id(*id, Action::Read),
    };
    let partition = partition_of(&topic, key.index)?;
    check_leader_epoch(wanted.leader_epoch)?;
    let from = u64::try_from(wanted.offset).map_err(|_| ResponseError::OffsetOutOfRange)?;
    let size_bytes_max = usize::try_from(wanted.size_bytes_max).unwrap_or(0);
    let batch_bytes_max = topic.map_or(0, |topic| topic.batch_size_bytes_max);
    Ok(Asked {
        read: Read {
            partition,
            from: Offset(from),
            // 0 would read nothing, not even the first batch, which is always returned.
            bytes_max: size_bytes_max.min(budget).max(1),
        },
        batch_bytes_max: usize::try_from(batch_bytes_max).unwrap_or(usize::MAX),
    })
}

/// A requested partition.
struct Asked {
    read: Read,
    /// Maximum batch size of its topic.
    batch_bytes_max: usize,
}

/// Resolves reads one after the other until the budget is used up.
struct Reader<'a> {
    session: &'a Session,
    left: usize,
    /// The memory for the batches.
    room: Share,
    /// Nothing has been read yet: the next batch is returned whatever its size.
    is_first: bool,
    /// Data has been left out.
    is_cut: bool,
    /// Whether the answers contain batches or only bounds.
    is_one_pass: bool,
}

impl Reader<'_> {
    async fn content(&mut self, read: Read, answer: Result<ReadReply, ReadError>) -> Fetched {
        let answer = answer?;
        let bounds = Bounds {
            start: answer.start,
            committed: answer.committed,
        };
        if read.from < bounds.start || read.from > bounds.committed {
            return Err(ResponseError::OffsetOutOfRange.into());
        }
        let batches = match read.from < bounds.committed {
            true => self.batches(read, answer).await?,
            false => Vec::new(),
        };
        let end = batches
            .last()
            .map_or(read.from, |it| it.header().next_offset());
        self.is_cut |= end < bounds.committed;
        Ok(Content {
            partition: read.partition,
            bounds,
            batches,
        })
    }

    async fn batches(&mut self, read: Read, answer: ReadReply) -> Result<Vec<Batch>, Fault> {
        let limit = read.bytes_max.min(self.left);
        if limit == 0 && !self.is_first {
            return Ok(Vec::new());
        }
        let reply = match self.is_one_pass {
            true => answer,
            false => {
                let bytes_max = limit.max(1);
                self.session.broker.read(Read { bytes_max, ..read }).await?
            }
        };
        let mut batches = reply.limited(limit).resolve().await?;
        let fitting = fitting(&batches, limit).max(usize::from(self.is_first));
        // Data read beyond the limit, for example the one batch that is always read, is left for a
        // later fetch. Its size still counts, as in Kafka, which sends the beginning of it.
        let size_bytes = match fitting < batches.len() {
            true => limit,
            false => batches.iter().map(|it| it.bytes().len()).sum(),
        };
        batches.truncate(fitting);
        self.left = self.left.saturating_sub(size_bytes);
        self.is_first &= batches.is_empty();
        Ok(batches)
    }
}

/// How many of the batches fit into `limit` bytes.
fn fitting(batches: &[Batch], limit: usize) -> usize {
    let mut left = limit;
    let fits = |batch: &&Batch| {
        let rest = left.checked_sub(batch.bytes().len());
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    batches.iter().take_while(fits).count()
}

/// The response for a plan. An incremental one leaves out unchanged partitions.
fn response(mut plan: Plan, fetched: Vec<Fetched>, is_committed: bool) -> (FetchResponse, Plan) {
    let mut topics = TopicList::default();
    let mut served = HashSet::new();
    for ((key, _), fetched) in plan.items.iter().zip(fetched) {
        let has_records = fetched.as_ref().is_ok_and(|it| !it.batches.is_empty());
        let is_news = match &mut plan.session {
            Some(session) => session.show(key, shown(&fetched)),
            None => true,
        };
        if has_records && plan.session.is_some() {
            served.insert(key.clone());
        }
        if has_records || is_news || !plan.is_incremental {
            topics.push(key, partition(key.index, fetched, is_committed));
        }
    }
    if let Some(session) = &mut plan.session {
        session.move_back(&served);
    }
    let response = FetchResponse {
        error_code: 0,
        session_id: plan.session.as_ref().map_or(0, |it| it.id()),
        topics: topics.list,
    };
    (response, plan)
}

fn shown(fetched: &Fetched) -> Option<Shown> {
    let content = fetched.as_ref().ok()?;
    Some(Shown {
        high_watermark: content.bounds.committed.0 as i64,
        log_start_offset: content.bounds.start.0 as i64,
    })
}

fn partition(index: i32, fetched: Fetched, is_committed: bool) -> FetchPartition {
    match fetched {
        Ok(content) => FetchPartition {
            index,
            error_code: 0,
            high_watermark: content.bounds.committed.0 as i64,
            last_stable_offset: content.bounds.committed.0 as i64,
            log_start_offset: content.bounds.start.0 as i64,
            aborted_transactions: is_committed.then(Vec::new),
            records: content.batches.into_iter().map(Batch::into_bytes).collect(),
        },
        Err(fault) => FetchPartition {
            index,
            error_code: fault.code(),
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: is_committed.then(Vec::new),
            records: Vec::new(),
        },
    }
}

/// Groups partitions by topic, in the order of each topic's first occurrence.
#[derive(Default)]
struct TopicList {
    list: Vec<FetchTopic>,
    positions: HashMap<TopicKey, usize>,
}

impl TopicList {
    fn push(&mut self, key: &PartitionKey, partition: FetchPartition) {
        let position = match self.positions.get(&key.topic) {
            Some(position) => *position,
            None => {
                let (name, id) = match &key.topic {
                    TopicKey::Name(name) => (name.clone(), Uuid::nil()),
                    TopicKey::Id(id) => (StrBytes::new(), *id),
                };
                self.list.push(FetchTopic {
                    name,
                    id,
                    partitions: Vec::new(),
                });
                self.positions
                    .insert(key.topic.clone(), self.list.len() - 1);
                self.list.len() - 1
            }
        };
        self.list[position].partitions.push(partition);
    }
}
