//! The state shared by all requests.

use std::sync::Arc;

use stele_base_types::{ConsumerId, Principal, SessionId, Timestamp};
use stele_core_broker::{Broker, FrontMeter};
use stele_core_engine::ConsumerRef;
use stele_front_accept::Stop;

use crate::{Settings, operations};

/// The front's state. Losing it in a restart is harmless.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) broker: Broker,
    pub(crate) meter: Arc<FrontMeter>,
    pub(crate) settings: Settings,
    /// The holder of the leases of all receivers: SQS tracks messages in flight, not their holders,
    /// and each lease has a deadline.
    pub(crate) holder: ConsumerRef,
    stop: Stop,
}

/// The request data that operations need besides the request's members.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The scheme and host that the client used, for URLs in the response.
    pub(crate) base_url: String,
    /// The signer of the request, if signatures are required.
    pub(crate) principal: Principal,
    /// The trace id for messages that don't set one themselves.
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

    /// Returns when the front stops.
    pub(crate) async fn stopped(&self) {
        self.stop.clone().wait().await;
    }

    /// Wall-clock time, to compare with clients' timestamps.
    pub(crate) fn calendar(&self) -> Timestamp {
        self.settings.clock.calendar()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.settings.clock.now()
    }

    /// The URL of a queue as the client can reach it.
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
