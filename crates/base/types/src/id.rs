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
    /// A log. Assigned once by the catalogue and never reused, so that a deleted log's data can't
    /// be taken for that of a later log of the same name.
    LogId(u64)
}
id! {
    /// A partition's index in its log, from 0.
    PartitionIndex(u32)
}
id! {
    /// The epoch of a process on a data directory. Each start has a larger one than all before.
    ProcessEpoch(u32)
}
id! {
    /// A client's session: an AMQP connection, a Kafka connection, one SQS request. Its leases are
    /// returned when it ends. Never reused: it contains the process's epoch.
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
    /// The epoch of a producer, which fences it: writes of an older epoch fail (KIP-98).
    ProducerEpoch(i16)
}
id! {
    /// The sequence number of a producer's record in a partition; wraps from `i32::MAX` to 0
    /// (KIP-98).
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

/// The low bits of a number, which count; the process's epoch is above them.
const NUMBER_BITS: u32 = 40;

impl ProcessEpoch {
    /// The epoch in a number: that of the process that assigned it.
    pub fn of(number: u64) -> Self {
        Self(u32::try_from(number >> NUMBER_BITS).expect("24 bits are left"))
    }

    /// The first number that a process of this epoch assigns. Those of earlier processes are
    /// smaller.
    pub fn first_number(self) -> u64 {
        u64::from(self.0) << NUMBER_BITS
    }

    /// The epoch after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl SessionId {
    /// The epoch of the session's process.
    pub fn epoch(self) -> ProcessEpoch {
        ProcessEpoch::of(self.0)
    }
}

/// A partition of a log.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct PartitionId {
    /// The log.
    pub log: LogId,
    /// The partition's index in it.
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
    fn a_number_carries_its_epoch() {
        let epoch = ProcessEpoch(7);
        let session = SessionId(epoch.first_number() + 12);
        assert_eq!(session.epoch(), epoch);
        assert!(session.0 < epoch.next().first_number());
        assert_eq!(SessionId(12).epoch(), ProcessEpoch(0));
    }

    #[test]
    fn sequences_wrap_to_zero_after_the_largest() {
        assert_eq!(Sequence(i32::MAX).plus(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(3), Sequence(1));
        assert_eq!(Sequence(5).plus(2), Sequence(7));
    }
}
