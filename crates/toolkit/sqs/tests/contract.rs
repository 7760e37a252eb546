//! The contract of transports, over a Stele or over the endpoint that `TOOLKIT_SQS` names.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use stele_toolkit_bus::Transport;
use stele_toolkit_contract::{Broker, Protocol, Subject, transport_contract};
use stele_toolkit_sqs::{Order, Settings, Sqs};

#[derive(Debug)]
struct OverSqs {
    broker: Broker,
    order: Order,
}

impl OverSqs {
    async fn start(order: Order) -> Self {
        let broker = Broker::start(Protocol::Sqs).await;
        Self { broker, order }
    }
}

#[async_trait]
impl Subject for OverSqs {
    fn transport(&self) -> Arc<dyn Transport> {
        let credentials = Credentials::from_keys("key", "secret", None);
        let mut settings = Settings::new("us-east-1", credentials);
        settings.endpoint = Some(self.broker.address().to_owned());
        settings.order = self.order;
        // What was held comes again, and a subscription is drained, after these.
        settings.visibility_timeout = Duration::from_secs(3);
        settings.wait = Duration::from_secs(1);
        Arc::new(Sqs::new(settings))
    }

    async fn crash(&self) -> bool {
        self.broker.crash().await
    }
}

mod fifo {
    use super::*;

    async fn subject() -> OverSqs {
        OverSqs::start(Order::ByKey).await
    }

    transport_contract!(subject);
}

mod standard {
    use super::*;

    async fn subject() -> OverSqs {
        OverSqs::start(Order::None).await
    }

    transport_contract! { subject:
        headers_key_type_and_id_arrive,
        messages_of_a_key_come_in_order,
        each_service_gets_a_copy,
        an_unsettled_message_comes_again_after_a_crash,
        a_released_message_comes_again_no_earlier_than_told,
        a_release_holds_up_what_it_says,
        a_delayed_message_comes_no_earlier_than_told,
        draining_hands_back_what_was_not_handed_out,
        no_confirmed_message_is_lost_when_the_broker_crashes,
    }
}
