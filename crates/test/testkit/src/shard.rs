//! A shard without threads.

use std::{path::Path, sync::Arc};

use parking_lot::RwLock;
use stele_base_env::{LocalDisk, OsRng};
use stele_base_types::{ShardId, Timestamp};
use stele_core_broker::{IntactShard, LinkInbox, Opened};
use stele_core_engine::Catalogue;
use stele_core_storage::{DataDirectory, Options};

/// Opens the first shard of a directory, with a link to each shard, and begins the life of a
/// process.
pub fn first_shard(
    path: &Path,
    options: &Options,
    replica: Arc<RwLock<Catalogue>>,
    links: Vec<LinkInbox>,
    now: Timestamp,
) -> Opened {
    let shards = u16::try_from(links.len()).expect("a few shards");
    let directory = DataDirectory::open(Arc::new(LocalDisk), path, shards).expect("it opens");
    let directory = directory.shard(ShardId(0));
    let mut rng = OsRng::new().expect("there is randomness");
    let intact = IntactShard::read(directory, options, now).expect("it is intact");
    let opened = intact.open(&replica, &links, &mut rng, now);
    let mut opened = opened.expect("it opens");
    let epoch = opened.shard.state().next_epoch();
    opened.recover(epoch, now).expect("it recovers");
    opened
}
