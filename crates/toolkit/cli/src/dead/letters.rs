//! Where dead letters are: in a database, or in the queues of services without one.

use std::sync::Arc;

use clap::Args;
use stele_toolkit_bus::{
    DeadLetter, DeadLetters, Filter, LettersError, QueueLetters, SystemClock, Transport,
};
use stele_toolkit_envelope::SystemIds;

use crate::{Failure, place::Database};

/// Where the letters are.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// The service whose letters they are. With a database, all services in it by default.
    #[arg(long)]
    service: Option<String>,
    #[command(flatten)]
    database: Database,
    /// The broker instead of a database, for a service that has none: `amqp://…`,
    /// `kafka:HOST:PORT`, or `sqs:http://…` with the usual variables of AWS. Looking takes the
    /// letters out of their queue for a moment.
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
}

/// The letters of a service.
#[derive(Debug)]
pub(crate) struct Tray {
    pub(crate) service: String,
    pub(crate) letters: Box<dyn DeadLetters>,
}

impl Tray {
    /// Letters, each with the service's name.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
    ) -> Result<Vec<(String, DeadLetter)>, LettersError> {
        let found = self.letters.list(filter).await?.into_iter();
        let named = found.map(|letter| (self.service.clone(), letter));
        Ok(named.collect())
    }
}

impl Source {
    /// The letters of each service.
    pub(crate) async fn open(&self) -> Result<Vec<Tray>, Failure> {
        if let Some(broker) = &self.broker {
            let Some(service) = &self.service else {
                let text = "a broker doesn't tell which services there are: add --service";
                return Err(Failure::Usage(text.to_owned()));
            };
            let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
            let letters = QueueLetters::new(service, transport(broker)?, clock, ids);
            return Ok(vec![Tray {
                service: service.clone(),
                letters: Box::new(letters),
            }]);
        }
        let db = self.database.open().await?;
        let services = match &self.service {
            Some(service) => vec![service.clone()],
            None => db.services_with_dead_letters().await?,
        };
        let tray = |service: String| Tray {
            letters: Box::new(db.dead_letters(&service)),
            service,
        };
        Ok(services.into_iter().map(tray).collect())
    }

    /// A letter, and where it is.
    pub(crate) async fn find(&self, id: &str) -> Result<(Tray, DeadLetter), Failure> {
        for tray in self.open().await? {
            let letter = tray.letters.list(&Filter::of_id(id)).await?.pop();
            if let Some(letter) = letter {
                return Ok((tray, letter));
            }
        }
        let id = id.to_owned();
        Err(LettersError::NoSuchLetter { id }.into())
    }
}

fn transport(url: &str) -> Result<Arc<dyn Transport>, Failure> {
    #[cfg(feature = "amqp")]
    if url.starts_with("amqp://") {
        let settings = stele_toolkit_amqp::Settings::new(url);
        return Ok(Arc::new(stele_toolkit_amqp::Amqp::new(settings)?));
    }
    #[cfg(feature = "kafka")]
    if let Some(brokers) = url.strip_prefix("kafka:") {
        let settings = stele_toolkit_kafka::Settings::new(brokers);
        return Ok(Arc::new(stele_toolkit_kafka::Kafka::new(settings)?));
    }
    #[cfg(feature = "sqs")]
    if let Some(endpoint) = url.strip_prefix("sqs:") {
        return sqs(endpoint);
    }
    let text = format!("this program was built without a transport for {url}");
    Err(Failure::Usage(text))
}

/// SQS at an endpoint, or AWS's of the region if it is empty.
#[cfg(feature = "sqs")]
fn sqs(endpoint: &str) -> Result<Arc<dyn Transport>, Failure> {
    let variable = |name: &str| {
        let missing = |_| Failure::Usage(format!("SQS needs the variable {name}"));
        std::env::var(name).map_err(missing)
    };
    let token = std::env::var("AWS_SESSION_TOKEN").ok();
    let credentials = aws_credential_types::Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        token,
        None,
        "environment",
    );
    let mut settings = stele_toolkit_sqs::Settings::new(variable("AWS_REGION")?, credentials);
    settings.endpoint = (!endpoint.is_empty()).then(|| endpoint.to_owned());
    Ok(Arc::new(stele_toolkit_sqs::Sqs::new(settings)))
}
