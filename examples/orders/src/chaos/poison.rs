//! Messages that nobody can read, or handle.

use std::{sync::Arc, time::Duration};

use clap::ValueEnum as _;
use serde_json::{Value, json};
use stele_toolkit_bus::{Destination, Outgoing, Transport};
use stele_toolkit_envelope::Message as _;
use tokio::time::sleep;

use crate::{
    dice::Dice,
    faults::strikes::{ABORTS, PANICS},
    messages::{InventoryRejected, InventoryReleased, PaymentFailed},
    process::Failed,
    run::Addresses,
    settings::{Protocol, Style},
    topology, transport,
};

/// How they can't be.
const KINDS: [&str; 6] = [
    "truncated",
    "unknown type",
    "version 9.0",
    "missing field",
    "300 KB",
    PANIC,
];

/// The order service's handler panics.
const PANIC: &str = "panic";

/// The order service's process ends, as often as it tries. What it was doing besides is tried again
/// as often.
pub(super) const ABORT: &str = "abort";

/// What a large message has more than others.
const LARGE_BYTES: usize = 300_000;

/// How often a message is sent until it is taken: the broker may be killed at the same time.
const TRIES_MAX: u32 = 100;

/// Sends such messages.
#[derive(Debug)]
pub(super) struct Poisoner {
    transport: Arc<dyn Transport>,
    style: Style,
    seed: u64,
    sent: u64,
}

impl Poisoner {
    pub(super) async fn open(addresses: &Addresses, seed: u64) -> Result<Self, Failed> {
        let protocol = Protocol::from_str(&addresses.protocol, true)?;
        let style = Style::from_str(&addresses.style, true)?;
        let transport = transport::open(protocol, &addresses.broker, "chaos")?;
        transport.declare(&topology::of(style)).await?;
        Ok(Self {
            transport,
            style,
            seed,
            sent: 0,
        })
    }

    /// Sends one of a kind by chance, and tells what it was and who gets it.
    pub(super) async fn send_any(&mut self, dice: &Dice) -> Result<Value, Failed> {
        let kind = *dice.pick(&KINDS);
        self.send(kind, dice).await
    }

    /// The same, of this kind.
    pub(super) async fn send(&mut self, kind: &str, dice: &Dice) -> Result<Value, Failed> {
        self.sent += 1;
        let id = format!("poison-{}-{}", self.seed, self.sent);
        let (topic, message_type) = match kind {
            PANIC | ABORT => (InventoryReleased::TOPIC, InventoryReleased::TYPE),
            _ => *dice.pick(&[
                (PaymentFailed::TOPIC, PaymentFailed::TYPE),
                (InventoryRejected::TOPIC, InventoryRejected::TYPE),
            ]),
        };
        let to = Destination::Topic(topic.to_owned());
        let body = body(&id, kind, message_type);
        let message = Outgoing::json(to, id.clone(), body).with_key(id.clone());
        let mut tries = 0;
        loop {
            let sent = self.transport.publish(std::slice::from_ref(&message)).await;
            match sent.into_iter().next() {
                Some(Err(error)) if tries < TRIES_MAX && error.is_transient() => {
                    tries += 1;
                    sleep(Duration::from_millis(100)).await;
                }
                Some(Err(error)) => return Err(error.into()),
                _ => break,
            }
        }
        let topology = topology::of(self.style);
        let of_topic = |it: &&stele_toolkit_bus::Subscription| it.topics.iter().any(|t| t == topic);
        let services = topology.subscriptions.iter().filter(of_topic);
        let services: Vec<_> = services.map(|it| it.service.clone()).collect();
        Ok(json!({"what": "poison", "id": id, "kind": kind, "topic": topic, "services": services}))
    }
}

fn body(id: &str, kind: &str, message_type: &str) -> Vec<u8> {
    let mut message = json!({
        "messageId": id, "type": message_type, "version": "1.0",
        "timestamp": "2026-01-15T10:30:00Z", "source": "chaos", "correlationId": id,
        "data": {"orderId": id, "reason": "poison"}, "metadata": {},
    });
    // One of today, else it is too old to be handled at all.
    let now = stele_toolkit_envelope::Ids::now(&stele_toolkit_envelope::SystemIds);
    message["timestamp"] = json!(now);
    match kind {
        "unknown type" => message["type"] = json!("Poison"),
        "version 9.0" => message["version"] = json!("9.0"),
        "missing field" => message["data"] = json!({"reason": "poison"}),
        "300 KB" => {
            message["type"] = json!("Poison");
            message["data"]["reason"] = json!("poison ".repeat(LARGE_BYTES / 7 + 1));
        }
        PANIC => message["data"] = json!({"orderId": format!("{PANICS}{id}"), "items": []}),
        ABORT => message["data"] = json!({"orderId": format!("{ABORTS}{id}"), "items": []}),
        _ => {}
    }
    let mut body = message.to_string().into_bytes();
    if kind == "truncated" {
        body.truncate(body.len() - 5);
    }
    body
}
