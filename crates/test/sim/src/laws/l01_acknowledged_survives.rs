//! Law 1: within its durability class, an acknowledged publish is never lost by a crash at any
//! point. Nor is an acknowledged commit of an offset. A session's publish is never refused for lack
//! of space, because its client may not request confirms.

use std::collections::BTreeMap;

use stele_base_types::{LogId, Name, Offset, PartitionId};
use stele_core_engine::AppendError;

use super::{Law, ensure};
use crate::{
    event::{Event, PublishId, Read},
    model::Model,
};

type Place = (Name, PartitionId);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AcknowledgedSurvives {
    /// For each place, the last acknowledged commit and the last requested one.
    commits: BTreeMap<Place, (Option<Offset>, Offset)>,
}

impl Law for AcknowledgedSurvives {
    fn name(&self) -> &'static str {
        "1: acknowledged publishes survive"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Read(read) => is_complete(read, model),
            Event::Audited(read) => {
                reaches_the_end(read, model)?;
                is_complete(read, model)
            }
            Event::Acknowledged {
                publish,
                places,
                full,
            } => {
                let taken = places.iter().map(|it| it.partition.log);
                let taken: Vec<LogId> = taken.chain(full.iter().copied()).collect();
                is_at_each_target(*publish, &taken, model)
            }
            Event::Refused(publish, Some(AppendError::NoSuchLog)) => {
                is_at_each_target(*publish, &[], model)
            }
            Event::NoSpace(publish) => Err(format!("{publish:?} was refused for want of space")),
            Event::Unreadable(what) => Err(format!("unreadable: {what}")),
            Event::Committing(commit) => {
                let place = (commit.group.clone(), commit.partition);
                let known = self.commits.entry(place).or_default();
                known.1 = commit.offset;
                Ok(())
            }
            Event::Committed(commit) => {
                let place = (commit.group.clone(), commit.partition);
                let known = self.commits.entry(place).or_default();
                known.0 = known.0.max(Some(commit.offset));
                Ok(())
            }
            Event::OffsetRead {
                group,
                partition,
                offset,
            } => self.is_last_commit(&(group.clone(), *partition), *offset),
            Event::Deleting(log) => {
                self.forget(*log);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl AcknowledgedSurvives {
    fn is_last_commit(&self, place: &Place, found: Option<Offset>) -> Result<(), String> {
        let (acknowledged, asked) = self.commits.get(place).copied().unwrap_or_default();
        let is_there = found >= acknowledged && found.is_none_or(|found| found <= asked);
        ensure(is_there, || {
            format!("{place:?}: offset {found:?} was found where {acknowledged:?} was acknowledged")
        })
    }

    fn forget(&mut self, log: LogId) {
        self.commits
            .retain(|(_, partition), _| partition.log != log);
    }
}

/// A confirm covers every target that exists; only if all targets are gone may it cover none.
fn is_at_each_target(publish: PublishId, taken: &[LogId], model: &Model) -> Result<(), String> {
    let targets = model.publishes.get(&publish).into_iter();
    let mut there = targets
        .flat_map(|publish| &publish.targets)
        .map(|target| target.log)
        .filter(|log| model.log(*log).is_some());
    let missed = there.find(|log| !taken.contains(log));
    ensure(missed.is_none(), || {
        format!("{publish:?} was answered for {taken:?}, and {missed:?} is there")
    })
}

/// Between the first and the last record read, no acknowledged one is missing.
fn is_complete(read: &Read, model: &Model) -> Result<(), String> {
    let (Some((first, _)), Some((last, _))) = (read.records.first(), read.records.last()) else {
        return Ok(());
    };
    let found: BTreeMap<_, _> = read.records.iter().copied().collect();
    for (offset, place) in model.places(read.partition) {
        let is_here = offset >= *first && offset >= read.start && offset <= *last;
        ensure(
            !is_here || found.get(&offset) == Some(&place.record),
            || {
                let found = found.get(&offset);
                format!(
                    "{} at {offset} of {} was acknowledged, and {found:?} was read",
                    place.record.0, read.partition
                )
            },
        )?;
    }
    Ok(())
}

/// No acknowledged record is beyond the end, and everything from the start on was read.
fn reaches_the_end(read: &Read, model: &Model) -> Result<(), String> {
    let last = model.places(read.partition).last();
    let ends_early = last.filter(|(offset, _)| *offset >= read.committed);
    ensure(ends_early.is_none(), || {
        format!(
            "{} ends at {}, and {ends_early:?} was acknowledged",
            read.partition, read.committed
        )
    })?;
    let read_to = read.records.last().map_or(read.start, |last| last.0.next());
    ensure(read_to == read.committed, || {
        format!(
            "{} was read up to {read_to} of {}",
            read.partition, read.committed
        )
    })
}
