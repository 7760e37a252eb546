//! The transport that the settings name.

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use stele_toolkit_amqp::Amqp;
use stele_toolkit_bus::{Transport, TransportError};
use stele_toolkit_kafka::Kafka;
use stele_toolkit_sqs::Sqs;

use crate::settings::Protocol;

/// What the exchanges' names begin with: `shop.events`.
const NAMESPACE: &str = "shop";

/// How long a request to SQS waits for messages, and so how long a process may take to end.
const SQS_WAIT: Duration = Duration::from_secs(2);

/// After how long a message comes again whose process was killed. It is extended while the process
/// lives.
const SQS_VISIBILITY: Duration = Duration::from_secs(5);

/// The transport over a protocol, to the broker at an address. No two processes of a service that
/// run at the same time have the same name.
pub fn open(
    protocol: Protocol,
    broker: &str,
    process: &str,
) -> Result<Arc<dyn Transport>, TransportError> {
    Ok(match protocol {
        Protocol::Kafka => {
            let mut settings = stele_toolkit_kafka::Settings::new(broker);
            // By its name the broker knows a process that was killed and is started again, and
            // gives it its partitions at once, not when the session of the old one has ended.
            let name = ("group.instance.id".to_owned(), process.to_owned());
            settings.properties.extend([name]);
            Arc::new(Kafka::new(settings)?)
        }
        Protocol::Amqp => {
            let mut settings = stele_toolkit_amqp::Settings::new(broker);
            NAMESPACE.clone_into(&mut settings.namespace);
            Arc::new(Amqp::new(settings)?)
        }
        Protocol::Sqs => {
            let mut settings = stele_toolkit_sqs::Settings::new("us-east-1", credentials());
            settings.endpoint = Some(broker.to_owned());
            settings.wait = SQS_WAIT;
            settings.visibility_timeout = SQS_VISIBILITY;
            Arc::new(Sqs::new(settings))
        }
    })
}

/// The access key of the environment. Stele takes any, unless it is told to check signatures.
fn credentials() -> Credentials {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "shop".to_owned());
    let (id, secret) = (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    );
    Credentials::from_keys(id, secret, std::env::var("AWS_SESSION_TOKEN").ok())
}
