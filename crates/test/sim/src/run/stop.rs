//! A graceful stop, and what a start reports if something is missing after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use stele_base_env::Disk;
use stele_core_storage::{Error, Words, dump};
use stele_test_disk::{Loss, MemoryDisk};

use super::{Judged, Run};
use crate::{
    event::{Event, StartedShort},
    process::Process,
};

impl Run {
    /// The process stops gracefully and starts again. Before that a copy of the stopped data is
    /// started with the end of a journal missing.
    pub(super) fn stop(&mut self) -> Judged {
        let now = self.now;
        let done = self.process.as_mut().map(|process| process.stop(now));
        if let Some(Err(error)) = done {
            // A stop without enough space is like a crash.
            if error.is_for_want() {
                return self.crash();
            }
            return self.survive(Err(error));
        }
        self.listen()?;
        self.process = None;
        let disk = self.disk.after(Loss::Nothing);
        self.take_end_of_journal(&disk);
        let short = self.start_short(&disk);
        self.court.judge(vec![Event::StartedShort(short)])?;
        self.crash()
    }

    /// Removes the last journal file of a shard, or truncates its blocks.
    fn take_end_of_journal(&mut self, disk: &MemoryDisk) {
        let shard = self.random.below(u64::from(self.settings.shards));
        let directory = format!("shard-{shard}/journal");
        let directory = self.settings.directory.join(directory);
        let entries = disk.list(&directory).expect("the shard has a journal");
        let is_journal = |name: &&str| name.ends_with(".journal");
        let mut names = entries.iter().map(|entry| entry.name.as_str());
        let last = names.rfind(is_journal).expect("a stop wrote a block");
        let path = directory.join(last);
        if self.random.once_in(3) {
            disk.remove_file(&path).expect("it is there");
            return;
        }
        let cut_at = self.random.place(end_of_blocks(disk, &path));
        disk.edit(&path, |bytes| bytes.truncate(cut_at));
    }

    fn start_short(&self, disk: &MemoryDisk) -> StartedShort {
        let before = contents(disk);
        let started = Process::start(&self.settings, disk, self.calendar);
        let refusal = started.map(drop).err();
        let named: Option<&Path> = match &refusal {
            Some(Error::Damaged { path, .. }) => Some(path),
            _ => None,
        };
        let after = contents(disk);
        let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let changed = paths
            .into_iter()
            .filter(|path| before.get(*path) != after.get(*path));
        StartedShort {
            is_file_named: named.is_some_and(|path| before.contains_key(path)),
            changed: changed.cloned().collect(),
            refusal: refusal.map(|error| error.to_string()),
        }
    }
}

/// The end of the last block in a journal file; old contents of a reused file may follow.
fn end_of_blocks(disk: &MemoryDisk, path: &Path) -> usize {
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut last = String::new();
    let shown = dump(&shared, path, &Words::NONE, &mut |line| {
        line.clone_into(&mut last)
    });
    shown.expect("the file is there");
    let position = last.split(':').next();
    let position = position.and_then(|position| position.parse().ok());
    position.expect("the last line says where the journal ends")
}

fn contents(disk: &MemoryDisk) -> BTreeMap<PathBuf, Bytes> {
    let files = disk.files().into_iter();
    let contents = files.map(|path| {
        let bytes = disk.read(&path).expect("the file is there");
        (path, bytes)
    });
    contents.collect()
}
