//! Ids, names, sizes and timestamps shared by all layers.
//!
//! Each is a newtype, so that an offset can't be used as a length, or a log id as a shard id.
//! Everything here is plain data: no I/O, no clock, no allocation except for names.

mod foreign_protocol;
mod id;
mod murmur2;
mod name;
mod offset;
mod principal;
mod secret;
mod time;
mod user;

pub use foreign_protocol::ForeignProtocol;
pub use id::{
    ConsumerId, LogId, PartitionId, PartitionIndex, ProcessEpoch, ProducerEpoch, ProducerId,
    Sequence, SessionId, ShardId,
};
pub use murmur2::murmur2;
pub use name::{Name, NameError, VHOST_DEFAULT, VHOST_INTERNAL};
pub use offset::Offset;
pub use principal::{Login, Principal, Proof};
pub use secret::Secret;
pub use time::Timestamp;
pub use user::{LoginError, User};
