//! Messages that a test expects, whatever their types.

use stele_toolkit_envelope::{Message, RawJson, Version};

use crate::difference::Item;

/// A message that is expected: its type, its version and its data.
#[derive(Clone, Debug)]
pub struct Expected(Item);

/// This command is expected, in the queue that its type names.
pub fn command<M: Message>(message: &M) -> Expected {
    expected("command", message)
}

/// This event is expected, in the topic that its type names.
pub fn event<M: Message>(message: &M) -> Expected {
    expected("event", message)
}

fn expected<M: Message>(kind: &str, message: &M) -> Expected {
    let data = RawJson::of_message(message).expect("a message that is JSON");
    Expected(item(kind, M::TYPE, M::VERSION, &data))
}

/// How a message is shown and compared.
pub(crate) fn item(kind: &str, name: &str, version: Version, data: &RawJson) -> Item {
    Item::json(format!("{kind} {name} {version}"), data.as_str())
}

impl Expected {
    #[cfg(feature = "saga")]
    pub(crate) fn items(all: impl IntoIterator<Item = Self>) -> Vec<Item> {
        all.into_iter().map(|expected| expected.0).collect()
    }

    pub(crate) fn into_item(self) -> Item {
        self.0
    }
}
