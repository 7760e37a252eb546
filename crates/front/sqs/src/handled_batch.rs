//! A batch of receipt handles: the commands to the log, and the outcome of each entry.

use smallvec::SmallVec;
use stele_wire_sqs::{Error, batch::Failure};

/// Entries whose handles name a lease, with the command for each, and entries whose handles are
/// invalid.
#[derive(Debug)]
pub(crate) struct HandledBatch<Item> {
    /// In the order of the valid entries.
    items: SmallVec<[Item; 2]>,
    /// The id and the handle of each valid entry.
    entries: Vec<(String, String)>,
    failed: Vec<Failure>,
}

/// The ids of the entries that succeeded, and the failures.
pub(crate) type Outcomes = (Vec<String>, Vec<Failure>);

impl<Item> HandledBatch<Item> {
    pub(crate) fn new() -> Self {
        Self {
            items: SmallVec::new(),
            entries: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Adds an entry.
    pub(crate) fn push(&mut self, id: String, handle: String, item: Result<Item, Error>) {
        match item {
            Ok(item) => {
                self.items.push(item);
                self.entries.push((id, handle));
            }
            Err(error) => self.failed.push(Failure { id, error }),
        }
    }

    /// The commands for the log; `None` if no entry named a lease.
    pub(crate) fn take_items(&mut self) -> Option<SmallVec<[Item; 2]>> {
        (!self.items.is_empty()).then(|| std::mem::take(&mut self.items))
    }

    /// The outcomes. `missing` has the positions of items whose handles have expired; `refusal`
    /// makes the error for one.
    pub(crate) fn outcomes(mut self, missing: &[usize], refusal: fn(&str) -> Error) -> Outcomes {
        let mut successful = Vec::new();
        for (position, (id, handle)) in self.entries.into_iter().enumerate() {
            if missing.contains(&position) {
                let error = refusal(&handle);
                self.failed.push(Failure { id, error });
            } else {
                successful.push(id);
            }
        }
        (successful, self.failed)
    }
}
