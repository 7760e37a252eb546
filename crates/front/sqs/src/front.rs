//! What all requests share.

use std::sync::Arc;

use stele_base_types::{ConsumerId, Principal, SessionId, Timestamp};
use stele_core_broker::{Broker, FrontMeter};
use stele_core_engine::ConsumerRef;
use stele_front_accept::Stop;

use crate::{Settings, operations};

/// The front's state: nothing that a restart may not lose.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) broker: Broker,
    pub(crate) meter: Arc<FrontMeter>,
    pub(crate) settings: Settings,
    /// Who holds the leases of all receivers: SQS knows messages in flight, not their holders, and
    /// each lease has a deadline.
    pub(crate) holder: ConsumerRef,
    stop: Stop,
}

/// What an operation knows of its request beside its members.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Scheme and host by which the client came, for the URLs in the answer.
    pub(crate) base_url: String,
    /// Who signed the request, where signatures are checked.
    pub(crate) principal: Principal,
    /// The trace that the messages which it sends belong to, where they don't say.
    pub(crate) trace: Option<String>,
}

impl Front {
    pub(crate) fn new(broker: Broker, settings: Settings, stop: Stop) -> Self {
        let session = SessionId(broker.next_id());
        Self {
            meter: broker.front_meter("sqs", &operations::NAMES),
            broker,
            settings,
            holder: ConsumerRef {
                session,
                consumer: ConsumerId(0),
            },
            stop,
        }
    }

    /// Returns when the front is to stop.
    pub(crate) async fn stopped(&self) {
        self.stop.clone().wait().await;
    }

    /// What senders' calendars are compared with.
    pub(crate) fn calendar(&self) -> Timestamp {
        self.settings.clock.calendar()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// The URL of a queue, as the client can reach it.
    pub(crate) fn queue_url(&self, context: &Context, name: &str) -> String {
        format!("{}/{}/{name}", context.base_url, self.settings.account_id)
    }

    pub(crate) fn queue_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:sqs:{}:{}:{name}",
            self.settings.region, self.settings.account_id
        )
    }
}
