//! Law 8: recovery is idempotent: a crash during recovery and another recovery give the same state.
//! Snapshot plus journal equals journal alone.

use super::{Law, ensure};
use crate::{
    event::{Event, Found, Recovery},
    model::Model,
};

/// See the module.
#[derive(Debug)]
pub(crate) struct RecoveryRepeats;

impl Law for RecoveryRepeats {
    fn name(&self) -> &'static str {
        "8: recovery is idempotent, snapshots change nothing"
    }

    fn judge(&mut self, event: &Event, _: &Model) -> Result<(), String> {
        let Event::Recovered(shards) = event else {
            return Ok(());
        };
        for (shard, recovery) in shards.iter().enumerate() {
            judge_shard(recovery).map_err(|what| format!("shard {shard}: {what}"))?;
        }
        Ok(())
    }
}

fn judge_shard(recovery: &Recovery) -> Result<(), String> {
    let Recovery {
        last,
        undisturbed: [first, second],
        journal_alone,
    } = recovery;
    ensure(last.reads_back, || "a snapshot loses some of it".into())?;
    ensure(first == second, || {
        format!("a second recovery differs in {}", difference(first, second))
    })?;
    ensure(last == first, || {
        let difference = difference(last, first);
        format!("a recovery that crashes disturbed differs in {difference}")
    })?;
    let alone = journal_alone.as_ref().unwrap_or(last);
    ensure(alone == last, || {
        let difference = difference(alone, last);
        format!("the journal alone says otherwise in {difference}")
    })
}

/// The first parts of two states that differ.
fn difference(one: &Found, other: &Found) -> String {
    let mut parts = one.state.iter().zip(&other.state);
    let differing = parts.find(|(one, other)| one != other);
    format!("{differing:?}")
}
