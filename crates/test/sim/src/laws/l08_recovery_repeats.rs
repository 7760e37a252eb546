//! Law 8: recovery is idempotent: a crash during recovery and another recovery give the same state.
//! Snapshot plus journal equals journal alone.

use super::{Law, ensure};
use crate::{
    event::{Event, Recovery},
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
    ensure(first == second, || "a second recovery differs".into())?;
    ensure(last == first, || {
        "a recovery that crashes disturbed differs".into()
    })?;
    let differs = journal_alone.as_ref().is_some_and(|alone| alone != last);
    ensure(!differs, || "the journal alone says otherwise".into())
}
