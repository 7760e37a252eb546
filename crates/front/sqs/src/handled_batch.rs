//! A batch of receipt handles: what the log is asked for, and each entry's outcome.

use smallvec::SmallVec;
use stele_wire_sqs::{Error, batch::Failure};

/// The entries whose handles name a lease, with what the log is asked for each, and those whose
/// handles don't.
#[derive(Debug)]
pub(crate) struct HandledBatch<Item> {
    /// In the order of the entries that named one.
    items: SmallVec<[Item; 2]>,
    /// The id and the handle of each.
    entries: Vec<(String, String)>,
    failed: Vec<Failure>,
}

/// The ids of the entries that succeeded, and those that didn't.
pub(crate) type Outcomes = (Vec<String>, Vec<Failure>);

impl<Item> HandledBatch<Item> {
    pub(crate) fn new() -> Self {
        Self {
            items: SmallVec::new(),
            entries: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// Takes up an entry.
    pub(crate) fn push(&mut self, id: String, handle: String, item: Result<Item, Error>) {
        match item {
            Ok(item) => {
                self.items.push(item);
                self.entries.push((id, handle));
            }
            Err(error) => self.failed.push(Failure { id, error }),
        }
    }

    /// What the log is to be asked; nothing where no entry named a lease.
    pub(crate) fn take_items(&mut self) -> Option<SmallVec<[Item; 2]>> {
        (!self.items.is_empty()).then(|| std::mem::take(&mut self.items))
    }

    /// The outcomes, where `missing` are the positions of items whose handles are no longer in
    /// force, and `refusal` says so of one.
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
