//! A service's own data in memory, and a transaction on them.

use std::collections::BTreeMap;

use crate::{Call, FromMessage, Lent, Refusal, Slot};

/// A service's own data: texts by names.
pub(super) type Data = BTreeMap<String, String>;

/// A transaction on the data of a [`super::MemoryStore`], as an argument of a handler. What it
/// changes is there once the handler's work is committed, and not at all if it isn't.
#[derive(Debug)]
pub struct MemoryTx(Lent<Changes>);

/// The data as they were when the work began, and what is to change.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) before: Data,
    pub(super) changes: BTreeMap<String, Change>,
}

/// A change of the text of a name.
#[derive(Debug)]
pub(super) enum Change {
    Set(String),
    /// Commutes with those of other transactions.
    Add(i64),
}

impl Change {
    pub(super) fn apply(self, data: &mut Data, name: String) {
        let text = match self {
            Self::Set(text) => text,
            Self::Add(number) => {
                let before = data.get(&name).map(String::as_str);
                sum(before, number).to_string()
            }
        };
        data.insert(name, text);
    }
}

fn sum(before: Option<&str>, number: i64) -> i64 {
    let before = before.and_then(|text| text.parse().ok());
    before.unwrap_or(0_i64).saturating_add(number)
}

impl MemoryTx {
    /// The text of a name.
    pub fn value(&self, name: &str) -> Option<String> {
        let before = self.0.before.get(name);
        match self.0.changes.get(name) {
            Some(Change::Set(text)) => Some(text.clone()),
            Some(Change::Add(number)) => Some(sum(before.map(String::as_str), *number).to_string()),
            None => before.cloned(),
        }
    }

    /// Sets the text of a name.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let change = Change::Set(value.into());
        self.0.changes.insert(name.into(), change);
    }

    /// Adds to the number of a name, which is 0 if it has none. Others may add at the same time.
    pub fn add(&mut self, name: &str, number: i64) {
        let change = match self.0.changes.remove(name) {
            Some(Change::Set(text)) => Change::Set(sum(Some(&text), number).to_string()),
            Some(Change::Add(before)) => Change::Add(before.saturating_add(number)),
            None => Change::Add(number),
        };
        self.0.changes.insert(name.to_owned(), change);
    }
}

impl FromMessage for MemoryTx {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        let lent = call.lent::<Slot<Changes>>().and_then(Slot::take);
        lent.map(Self).ok_or_else(|| {
            Refusal::new(
                "no_transaction",
                "the store isn't a MemoryStore, or it is taken",
            )
        })
    }
}
