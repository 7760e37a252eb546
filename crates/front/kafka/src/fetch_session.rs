//! Fetch sessions (KIP-227): a client sends its partitions once, and later only changes.
//!
//! ```text
//!  request (id, epoch)                     becomes
//!  (any, -1)  ─────────► a full fetch without a session; an old session ends
//!  (any,  0)  ─────────► a full fetch that opens a new session; an old one ends
//!  (id, next) ─────────► an incremental fetch: changed and forgotten partitions
//!  (other, n) ─────────► FETCH_SESSION_ID_NOT_FOUND
//!  (id, other)────────► INVALID_FETCH_SESSION_EPOCH
//! ```
//!
//! A session belongs to its connection, so there is no cache and no eviction. A client that
//! reconnects is told that its session isn't found, and opens another, as it does after an eviction
//! in Kafka.

use hashbrown::{HashMap, HashSet};
use stele_wire_kafka::{ResponseError, StrBytes, messages::FetchRequest};
use uuid::Uuid;

use crate::limits::FETCH_SESSION_PARTITIONS_MAX;

/// The epoch of a request without a session.
const EPOCH_FINAL: i32 = -1;

/// The epoch of a request that opens a session.
const EPOCH_INITIAL: i32 = 0;

/// A topic as named in requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TopicKey {
    /// Versions up to 12.
    Name(StrBytes),
    /// Versions 13 and later.
    Id(Uuid),
}

/// A partition as named in requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PartitionKey {
    pub(crate) topic: TopicKey,
    pub(crate) index: i32,
}

/// What to fetch from a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) offset: i64,
    pub(crate) size_bytes_max: i32,
    pub(crate) leader_epoch: i32,
}

/// What the previous response showed of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
}

/// A session.
#[derive(Debug)]
pub(crate) struct FetchSession {
    id: i32,
    /// The epoch of the next request.
    epoch: i32,
    /// In fetch order.
    order: Vec<PartitionKey>,
    partitions: HashMap<PartitionKey, Entry>,
}

#[derive(Debug)]
struct Entry {
    wanted: Wanted,
    /// `None` if the next response must include the partition in any case.
    shown: Option<Shown>,
}

/// The plan of one request.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) items: Vec<(PartitionKey, Wanted)>,
    /// The session of the response.
    pub(crate) session: Option<FetchSession>,
    /// Whether unchanged partitions are left out of the response.
    pub(crate) is_incremental: bool,
}

impl Plan {
    /// The plan for `request` of `version`. `current` is the connection's session, which ends here
    /// unless the plan continues it; a new session gets the id `id_new`.
    pub(crate) fn new(
        version: i16,
        request: &FetchRequest,
        current: Option<FetchSession>,
        id_new: i32,
    ) -> Result<Self, ResponseError> {
        let asked = asked(version, request);
        match request.session_epoch {
            EPOCH_FINAL => Ok(Self::full(asked, None)),
            EPOCH_INITIAL => {
                let fits = asked.len() <= FETCH_SESSION_PARTITIONS_MAX;
                let session = fits.then(|| FetchSession::new(id_new, &asked));
                Ok(Self::full(asked, session))
            }
            epoch => {
                let session = current
                    .filter(|session| session.id == request.session_id)
                    .ok_or(ResponseError::FetchSessionIdNotFound)?;
                if session.epoch != epoch {
                    return Err(ResponseError::InvalidFetchSessionEpoch);
                }
                session.incremental(asked, forgotten(version, request))
            }
        }
    }

    fn full(items: Vec<(PartitionKey, Wanted)>, session: Option<FetchSession>) -> Self {
        Self {
            items,
            session,
            is_incremental: false,
        }
    }
}

impl FetchSession {
    fn new(id: i32, asked: &[(PartitionKey, Wanted)]) -> Self {
        let mut session = Self {
            id,
            epoch: EPOCH_INITIAL + 1,
            order: Vec::new(),
            partitions: HashMap::new(),
        };
        for (key, wanted) in asked {
            session.want(key.clone(), *wanted);
        }
        session
    }

    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// Records what a partition shows now. Returns whether it has changed.
    pub(crate) fn show(&mut self, key: &PartitionKey, now: Option<Shown>) -> bool {
        let Some(entry) = self.partitions.get_mut(key) else {
            return true;
        };
        let is_news = now.is_none() || entry.shown != now;
        entry.shown = now;
        is_news
    }

    /// Moves served partitions to the end, so that those that had no room come first next time.
    pub(crate) fn move_back(&mut self, served: &HashSet<PartitionKey>) {
        // The sort is stable: each half keeps its order.
        self.order.sort_by_key(|key| served.contains(key));
    }

    fn incremental(
        mut self,
        asked: Vec<(PartitionKey, Wanted)>,
        forgotten: Vec<PartitionKey>,
    ) -> Result<Plan, ResponseError> {
        for (key, wanted) in asked {
            self.want(key, wanted);
        }
        if !forgotten.is_empty() {
            for key in &forgotten {
                self.partitions.remove(key);
            }
            self.order.retain(|key| self.partitions.contains_key(key));
        }
        if self.order.len() > FETCH_SESSION_PARTITIONS_MAX {
            return Err(ResponseError::FetchSessionIdNotFound);
        }
        self.epoch = self.epoch.checked_add(1).unwrap_or(EPOCH_INITIAL + 1);
        let wanted = |key: &PartitionKey| {
            let entry = self.partitions.get(key)?;
            Some((key.clone(), entry.wanted))
        };
        Ok(Plan {
            items: self.order.iter().filter_map(wanted).collect(),
            is_incremental: true,
            // A session without partitions isn't kept.
            session: (!self.order.is_empty()).then_some(self),
        })
    }

    fn want(&mut self, key: PartitionKey, wanted: Wanted) {
        match self.partitions.get_mut(&key) {
            Some(entry) => entry.wanted = wanted,
            None => {
                self.order.push(key.clone());
                let shown = None;
                self.partitions.insert(key, Entry { wanted, shown });
            }
        }
    }
}

/// The partitions of a request.
fn asked(version: i16, request: &FetchRequest) -> Vec<(PartitionKey, Wanted)> {
    let mut asked = Vec::new();
    for topic in &request.topics {
        let topic_key = topic_key(version, &topic.topic, topic.topic_id);
        for partition in &topic.partitions {
            let key = PartitionKey {
                topic: topic_key.clone(),
                index: partition.partition,
            };
            let wanted = Wanted {
                offset: partition.fetch_offset,
                size_bytes_max: partition.partition_max_bytes,
                leader_epoch: partition.current_leader_epoch,
            };
            asked.push((key, wanted));
        }
    }
    asked
}

fn forgotten(version: i16, request: &FetchRequest) -> Vec<PartitionKey> {
    let mut forgotten = Vec::new();
    for topic in &request.forgotten_topics_data {
        let topic_key = topic_key(version, &topic.topic, topic.topic_id);
        for index in &topic.partitions {
            forgotten.push(PartitionKey {
                topic: topic_key.clone(),
                index: *index,
            });
        }
    }
    forgotten
}

fn topic_key(version: i16, name: &StrBytes, id: Uuid) -> TopicKey {
    match version {
        13.. => TopicKey::Id(id),
        // Copied, so that the session doesn't keep the request's frame in memory.
        _ => TopicKey::Name(StrBytes::from_string(name.to_string())),
    }
}

#[cfg(test)]
mod tests;
