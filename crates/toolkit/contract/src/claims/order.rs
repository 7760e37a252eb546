//! The order of messages.

use std::collections::HashMap;

use stele_toolkit_bus::{Ordering, TransportError};

use crate::{
    Names, Subject,
    taking::{Client, of_queue, text, to_queue},
};

/// Messages of a key come in the order in which they were sent, in one batch or in several.
pub async fn messages_of_a_key_come_in_order(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("order"));
    client.declare_queues(&[&queue]).await;
    let keys = ["a", "b", "c", "d", "e"];
    let batch = |round: usize| -> Vec<_> {
        let numbered = (0..4).flat_map(|n| keys.map(|key| (key, round * 4 + n)));
        let messages = numbered.map(|(key, n)| to_queue(&queue, key, &format!("{key} {n}")));
        messages.collect()
    };
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    for round in 0..3 {
        client.publish(&batch(round)).await;
    }
    let mut next: HashMap<String, usize> = HashMap::new();
    for _ in 0..3 * 4 * keys.len() {
        let delivery = taking.next().await;
        let text = text(&delivery);
        let (key, number) = text.split_once(' ').expect("a key and a number");
        let expected = next.entry(key.to_owned()).or_default();
        if client.transport.caps().ordering != Ordering::None {
            assert_eq!(number, expected.to_string(), "of the key {key}");
        }
        *expected += 1;
        delivery.ack().await.expect("acknowledged");
    }
    assert!(next.values().all(|count| *count == 12), "{next:?}");
}

/// When a message of a batch fails, those of its key behind it fail too, and no others.
pub async fn what_follows_a_failure_of_its_key_fails_too(subject: &dyn Subject) {
    let (client, queue) = (Client::new(subject), Names::new().name("partial"));
    client.declare_queues(&[&queue]).await;
    let mut batch: Vec<_> = [
        ("a", "a1"),
        ("a", "a2"),
        ("b", "b1"),
        ("a", "a3"),
        ("", "c"),
    ]
    .map(|(key, body)| to_queue(&queue, key, body))
    .into();
    batch[1].body = vec![0xff; client.transport.caps().body_bytes_max + 1].into();
    let results = client.transport.publish(&batch).await;
    assert!(
        matches!(
            results[..],
            [
                Ok(()),
                Err(TransportError::Refused { .. }),
                Ok(()),
                Err(TransportError::Behind),
                Ok(())
            ]
        ),
        "{results:?}"
    );
    let mut taking = client.subscribe(&of_queue(&queue)).await;
    assert_eq!(taking.take_sorted(3).await, ["a1", "b1", "c"]);
    taking.expect_silence().await;
}
