//! The contract of transports, over a Stele or over the broker that `TOOLKIT_AMQP` names.

mod deferring;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_amqp::{Amqp, QueueKind, Settings};
use stele_toolkit_bus::Transport;
use stele_toolkit_contract::{Broker, Protocol, Subject, transport_contract};

/// Long enough for a machine that is busy with other tests.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct OverAmqp {
    broker: Broker,
    queue_kind: QueueKind,
}

impl OverAmqp {
    async fn start(queue_kind: QueueKind) -> Self {
        let broker = Broker::start(Protocol::Amqp).await;
        Self { broker, queue_kind }
    }
}

#[async_trait]
impl Subject for OverAmqp {
    fn transport(&self) -> Arc<dyn Transport> {
        let mut settings = Settings::new(self.broker.address());
        settings.queue_kind = self.queue_kind;
        settings.timeout = TIMEOUT;
        Arc::new(Amqp::new(settings).expect("the settings are right"))
    }

    async fn crash(&self) -> bool {
        self.broker.crash().await
    }
}

mod quorum {
    use super::*;

    async fn subject() -> OverAmqp {
        OverAmqp::start(QueueKind::Quorum).await
    }

    transport_contract!(subject);
}

mod classic {
    use super::*;

    async fn subject() -> OverAmqp {
        OverAmqp::start(QueueKind::Classic).await
    }

    transport_contract! { subject:
        messages_of_a_key_come_in_order,
        an_acknowledged_message_does_not_come_again,
        an_unsettled_message_comes_again_after_a_crash,
        a_released_message_comes_again_no_earlier_than_told,
        a_kept_message_comes_again_and_counts_once,
        waiting_messages_let_others_through,
        a_release_holds_up_what_it_says,
        draining_hands_back_what_was_not_handed_out,
        a_standby_takes_over_from_the_active_one,
        no_confirmed_message_is_lost_when_the_broker_crashes,
    }
}
