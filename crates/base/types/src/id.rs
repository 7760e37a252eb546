//! Identifiers: small integers, each of its own type.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize,
        )]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A shard: one single-threaded engine with its own journal.
    ShardId(u16)
}
id! {
    /// A log. Given once by the catalogue, never reused, so that a deleted log's data can't be
    /// taken for that of a later one of the same name.
    LogId(u64)
}
id! {
    /// A partition's place in its log, from 0.
    PartitionIndex(u32)
}
id! {
    /// A client's session: an AMQP connection, a Kafka connection, one SQS request. What a session
    /// leases returns when it ends. Never reused while the process lives.
    SessionId(u64)
}
id! {
    /// A subscription of a session to a ledger, unique in its session.
    ConsumerId(u64)
}
id! {
    /// An idempotent producer (KIP-98).
    ProducerId(i64)
}
id! {
    /// The fence of a producer: writes of an older epoch fail (KIP-98).
    ProducerEpoch(i16)
}
id! {
    /// The number of a producer's record in a partition; wraps from `i32::MAX` to 0 (KIP-98).
    Sequence(i32)
}

impl Sequence {
    /// The number `count` records later.
    pub fn plus(self, count: u32) -> Self {
        const PERIOD: i64 = 1 << 31;
        let sum = (i64::from(self.0) + i64::from(count)) % PERIOD;
        Self(i32::try_from(sum).expect("a remainder of 2^31 fits an i32"))
    }
}

/// A partition of a log.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionId {
    /// The log.
    pub log: LogId,
    /// The partition's place in it.
    pub index: PartitionIndex,
}

impl PartitionId {
    /// The partition `index` of `log`.
    pub fn new(log: LogId, index: PartitionIndex) -> Self {
        Self { log, index }
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.log, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero_after_the_largest() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
        assert_eq!(Sequence(5).plus(2), Sequence(7));
    }
}
