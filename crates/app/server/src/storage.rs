//! What the broker is set to.

use std::thread;

use stele_app_config::Settings;
use stele_base_env::Disk;
use stele_core_broker as broker;
use stele_core_storage as storage;

use crate::{memory, open_files::OpenFiles};

/// Shards, where nothing says how many: more than this many threads only wait for one disk.
const SHARDS_DEFAULT_MAX: u16 = 8;

/// The broker's settings.
pub(crate) fn settings(
    settings: &Settings,
    open_files: OpenFiles,
    disk: &dyn Disk,
) -> broker::Settings {
    let chosen = &settings.storage;
    broker::Settings {
        directory: chosen.dir.clone(),
        shards: shards(settings),
        storage: storage::Options {
            journal_file_size_bytes_max: chosen.journal_file.0,
            journal_size_bytes_max: chosen.journal.0,
            journal_age_ms_max: chosen.journal_age.ms(),
            segment_size_bytes_max: chosen.segment.0,
            cache_size_bytes_max: chosen.cache.bytes(),
        },
        reserve_bytes: chosen.reserve.0,
        unread_kept_ms: settings.kafka.retention.ms(),
        open_files_max: open_files.cached,
        memory_bytes: memory::ceiling_bytes(settings, disk),
    }
}

/// How many shards a new directory gets.
pub(crate) fn shards(settings: &Settings) -> u16 {
    settings.engine.shards.unwrap_or_else(shards_default)
}

fn shards_default() -> u16 {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(processors)
        .unwrap_or(u16::MAX)
        .min(SHARDS_DEFAULT_MAX)
}
