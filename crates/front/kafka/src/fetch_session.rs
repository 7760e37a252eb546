//! Fetch sessions (KIP-227): a client names its partitions once, then only what changes.
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
//! A session lives with its connection, so that it needs no cache and no eviction: a client that
//! connects again is told that its session isn't found, and opens another, as it does after
//! Kafka has evicted one.

use hashbrown::{HashMap, HashSet};
use stele_wire_kafka::{ResponseError, StrBytes, messages::FetchRequest};
use uuid::Uuid;

use crate::limits::FETCH_SESSION_PARTITIONS_MAX;

/// The epoch of a request that wants no session.
const EPOCH_FINAL: i32 = -1;

/// The epoch of a request that opens a session.
const EPOCH_INITIAL: i32 = 0;

/// A topic as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TopicKey {
    /// Versions up to 12.
    Name(StrBytes),
    /// Versions from 13 on.
    Id(Uuid),
}

/// A partition as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PartitionKey {
    pub(crate) topic: TopicKey,
    pub(crate) index: i32,
}

/// What to fetch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) offset: i64,
    pub(crate) size_bytes_max: i32,
    pub(crate) leader_epoch: i32,
}

/// What a partition showed in the response before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
}

/// A session.
#[derive(Debug)]
pub(crate) struct FetchSession {
    id: i32,
    /// Of the request that comes next.
    epoch: i32,
    /// In the order of fetching.
    order: Vec<PartitionKey>,
    partitions: HashMap<PartitionKey, Entry>,
}

#[derive(Debug)]
struct Entry {
    wanted: Wanted,
    /// `None` where the client must hear of the partition whatever it holds.
    shown: Option<Shown>,
}

/// What one request fetches.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) items: Vec<(PartitionKey, Wanted)>,
    /// The session that the response belongs to.
    pub(crate) session: Option<FetchSession>,
    /// Whether partitions without news are left out of the response.
    pub(crate) is_incremental: bool,
}

impl Plan {
    /// What `request` of `version` fetches. `current` is the connection's session, which ends here
    /// unless the plan goes on with it; a new one gets the id `id_new`.
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

    /// Notes what a partition shows now; tells whether that is news.
    pub(crate) fn show(&mut self, key: &PartitionKey, now: Option<Shown>) -> bool {
        let Some(entry) = self.partitions.get_mut(key) else {
            return true;
        };
        let is_news = now.is_none() || entry.shown != now;
        entry.shown = now;
        is_news
    }

    /// Moves partitions behind the others, so that those that had no room come first next time.
    pub(crate) fn move_back(&mut self, served: &HashSet<PartitionKey>) {
        // Stable: each half keeps its order.
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
            // A session without partitions has nothing to remember.
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

/// The partitions that a request names.
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
        // A copy of its own: the request's frame isn't to live as long as the session.
        _ => TopicKey::Name(StrBytes::from_string(name.to_string())),
    }
}

#[cfg(test)]
mod tests;
