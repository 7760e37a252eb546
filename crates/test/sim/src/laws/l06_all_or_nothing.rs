//! Law 6: a read-committed reader sees all of a transaction or none of it, and never beyond the
//! first open one.
//!
//! The transactions are appends and commits: an append to several logs, and a commit to logs of
//! several shards, is in all of them or in none, a batch is complete, and no reader gets beyond
//! what is committed.

use std::collections::{BTreeMap, BTreeSet};

use stele_base_types::LogId;
use stele_core_engine::Durability;

use super::{Law, ensure};
use crate::{
    event::{Event, Publish, PublishId, Read},
    letters::may_refuse,
    model::Model,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AllOrNothing {
    /// The logs in which each append to several logs was found.
    found: BTreeMap<PublishId, BTreeSet<LogId>>,
    /// Logs that were read completely, from their very beginning.
    whole: BTreeSet<LogId>,
    /// Logs with a partition that has lost its beginning.
    cut: BTreeSet<LogId>,
}

impl Law for AllOrNothing {
    fn name(&self) -> &'static str {
        "6: all of an append or nothing, and nothing before it is committed"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Read(read) => is_committed(read),
            Event::Audited(read) => {
                batches_are_whole(read, model)?;
                self.note(read, model);
                Ok(())
            }
            Event::Swept { .. } => self.all_have_it(model),
            _ => Ok(()),
        }
    }
}

impl AllOrNothing {
    fn note(&mut self, read: &Read, model: &Model) {
        let log = read.partition.log;
        self.whole.insert(log);
        if read.start.0 > 0 {
            self.cut.insert(log);
        }
        for (_, record) in &read.records {
            if let Some(publish) = model.origin(*record).filter(|it| it.targets.len() > 1) {
                self.found.entry(publish.id).or_default().insert(log);
            }
        }
    }

    fn all_have_it(&self, model: &Model) -> Result<(), String> {
        // A queue may refuse a record for its length, whatever becomes of it elsewhere.
        let refuses = |log: &LogId| {
            let queue = model.log(*log).and_then(|config| config.queue);
            queue.is_some_and(|queue| may_refuse(&queue))
        };
        for (publish, logs) in &self.found {
            let targets = &model.publishes[publish].targets;
            let is_missing = |log: &LogId| {
                let is_judged = self.whole.contains(log) && !self.cut.contains(log);
                is_judged && model.log(*log).is_some() && !logs.contains(log) && !refuses(log)
            };
            let synced = targets.iter().filter(|it| it.class == Durability::Synced);
            let missing = synced.map(|target| target.log).find(is_missing);
            ensure(missing.is_none(), || {
                format!("{publish:?} is in {logs:?} and not in {missing:?}")
            })?;
        }
        Ok(())
    }
}

fn is_committed(read: &Read) -> Result<(), String> {
    let past = read
        .records
        .iter()
        .find(|(offset, _)| *offset >= read.committed);
    // The last batch is complete, and committed as a whole.
    ensure(past.is_none(), || {
        format!("{}: {past:?} is past {}", read.partition, read.committed)
    })
}

fn batches_are_whole(read: &Read, model: &Model) -> Result<(), String> {
    let mut counts = BTreeMap::<PublishId, (usize, &Publish)>::new();
    for (_, record) in &read.records {
        if let Some(publish) = model.origin(*record) {
            counts.entry(publish.id).or_insert((0, publish)).0 += 1;
        }
    }
    let first = read.records.first().and_then(|first| model.origin(first.1));
    for (id, (count, publish)) in counts {
        // The start may lie within the first one.
        let is_first = first.is_some_and(|first| first.id == id);
        ensure(is_first || count % publish.records.len() == 0, || {
            format!("{}: {count} records of {publish:?}", read.partition)
        })?;
    }
    Ok(())
}
