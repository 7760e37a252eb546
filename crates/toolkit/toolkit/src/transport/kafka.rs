//! `kafka://HOST:PORT,HOST:PORT?partitions=6&replicas=3&PROPERTY=VALUE`.

use std::sync::Arc;

use stele_toolkit_bus::Transport;
use stele_toolkit_kafka::{Kafka, Settings};

use super::{ConnectError, Parts};

pub(super) fn connect(parts: Parts) -> Result<Arc<dyn Transport>, ConnectError> {
    if parts.host.is_empty() {
        return Err(parts.wrong("no brokers"));
    }
    let mut settings = Settings::new(&parts.host);
    for (name, value) in &parts.query {
        let number = || {
            let number = value.parse::<i32>();
            number.map_err(|_| parts.wrong(format!("{name}={value} isn't a number")))
        };
        match name.as_str() {
            "partitions" => settings.partitions = number()?,
            "replicas" => settings.replicas = Some(number()?),
            _ => {
                settings.properties.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(Arc::new(Kafka::new(settings)?))
}
