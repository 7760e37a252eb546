//! Names of queues, and ids of groups.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use stele_toolkit_bus::TransportError;

use crate::{Order, errors::refused};

/// Of a queue's name, `.fifo` included.
const NAME_LENGTH_MAX: usize = 80;

/// Of a MessageGroupId and a MessageDeduplicationId.
const ID_LENGTH_MAX: usize = 128;

/// The queues' names that are in use, each with the name that it stands for.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<HashMap<String, String>>);

impl Names {
    /// The name of the queue in SQS. Two names that give the same are refused, since messages would
    /// get to the wrong service.
    pub(crate) fn queue(&self, name: &str, order: Order) -> Result<String, TransportError> {
        let queue = queue_name(name, order)?;
        // Every change is complete when the lock is given up, panic or not.
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = used.entry(queue.clone()).or_insert_with(|| name.to_owned());
        if first != name {
            return Err(refused(format!(
                "`{name}` and `{first}` would both be the queue `{queue}`"
            )));
        }
        Ok(queue)
    }
}

fn queue_name(name: &str, order: Order) -> Result<String, TransportError> {
    let suffix = match order {
        Order::ByKey => ".fifo",
        Order::None => "",
    };
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_allowed) {
        let allowed = "ASCII letters, digits, `-`, `_` and `.`";
        return Err(refused(format!("`{name}` isn't made of {allowed}")));
    }
    let queue = format!("{}{suffix}", name.replace('.', "-"));
    match queue.len() <= NAME_LENGTH_MAX {
        true => Ok(queue),
        false => Err(refused(format!("`{queue}` is longer than 80 characters"))),
    }
}

/// A text as the id of a group or of a deduplication: itself if SQS allows that, else a digest.
pub(crate) fn id(text: &str) -> String {
    let is_id = (1..=ID_LENGTH_MAX).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_graphic())
        // A digest can't be taken for a text that looks like one.
        && !text.starts_with(DIGEST);
    match is_id {
        true => text.to_owned(),
        false => {
            let digest = Sha256::digest(text.as_bytes());
            format!("{DIGEST}{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
        }
    }
}

const DIGEST: &str = "sha256:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_become_hyphens_and_fifo_queues_say_so() {
        let names = Names::default();
        let queue = |name, order| names.queue(name, order).expect("allowed");
        assert_eq!(queue("shop.inventory", Order::ByKey), "shop-inventory.fifo");
        assert_eq!(queue("shop.inventory", Order::None), "shop-inventory");
    }

    #[test]
    fn names_that_would_be_one_queue_are_refused() {
        let names = Names::default();
        names.queue("a.b", Order::ByKey).expect("the first");
        names.queue("a.b", Order::ByKey).expect("the same");
        let refused = names.queue("a-b", Order::ByKey);
        assert!(matches!(refused, Err(TransportError::Refused { .. })));
    }

    #[test]
    fn what_no_queue_can_be_called_is_refused() {
        for name in ["", "a b", "\u{e9}", &"x".repeat(76)] {
            assert!(
                Names::default().queue(name, Order::ByKey).is_err(),
                "{name}"
            );
        }
        assert!(
            Names::default()
                .queue(&"x".repeat(75), Order::ByKey)
                .is_ok()
        );
    }

    #[test]
    fn an_id_is_the_text_or_its_digest() {
        assert_eq!(id("order-1"), "order-1");
        for text in ["", "with space", "\u{e9}", "sha256:x", &"x".repeat(129)] {
            let id = id(text);
            assert!(id.len() <= 128 && id.starts_with("sha256:"), "{id}");
        }
        assert_ne!(id("a b"), id("a c"));
    }
}
