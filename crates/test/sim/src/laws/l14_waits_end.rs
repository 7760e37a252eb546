//! Law 14: a wait ends once its log is gone, or has the records that are waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Law, ensure};
use crate::{
    event::{Event, Wait, WaitId},
    model::Model,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct WaitsEnd {
    waits: BTreeMap<WaitId, Wait>,
    /// Waits that should end.
    due: BTreeSet<WaitId>,
    /// Those of them that were already due at the last tick, which ends waits for deleted logs.
    overdue: BTreeSet<WaitId>,
}

impl Law for WaitsEnd {
    fn name(&self) -> &'static str {
        "14: a wait ends with its log, and with what it waits for"
    }

    fn judge(&mut self, event: &Event, _: &Model) -> Result<(), String> {
        match event {
            Event::Waiting(id, wait) => drop(self.waits.insert(*id, *wait)),
            Event::WaitEnded(id) => {
                self.waits.remove(id);
                self.due.remove(id);
                self.overdue.remove(id);
            }
            Event::Deleted(log) => self.fall_due(|wait| wait.log == *log),
            Event::Read(read) | Event::Audited(read) => {
                self.fall_due(|wait| wait.is_past(read.partition, read.committed));
            }
            Event::Crashed(_) => *self = Self::default(),
            Event::Ticked(_) => self.overdue.append(&mut self.due),
            Event::Time(_) => return self.nothing_is_overdue(),
            Event::AtRest { open, .. } => {
                self.fall_due(|wait| !open.contains(&wait.log));
                self.overdue.append(&mut self.due);
                return self.nothing_is_overdue();
            }
            _ => {}
        }
        Ok(())
    }
}

impl WaitsEnd {
    fn fall_due(&mut self, is_due: impl Fn(&Wait) -> bool) {
        let due = self.waits.iter().filter(|(_, wait)| is_due(wait));
        self.due.extend(due.map(|(id, _)| *id));
    }

    fn nothing_is_overdue(&self) -> Result<(), String> {
        ensure(self.overdue.is_empty(), || {
            let overdue = self.overdue.iter().map(|id| (id, &self.waits[id]));
            format!("these wait still: {:?}", overdue.collect::<Vec<_>>())
        })
    }
}
