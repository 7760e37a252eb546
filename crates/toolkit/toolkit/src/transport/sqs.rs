//! `sqs://KEY:SECRET@HOST:PORT?region=REGION&order=none&topic.NAME=SERVICE,SERVICE`.

use std::sync::Arc;

use aws_credential_types::Credentials;
use stele_toolkit_bus::Transport;
use stele_toolkit_sqs::{Order, Settings, Sqs};

use super::{ConnectError, Parts, variable};

/// The region if nobody names one.
const REGION: &str = "us-east-1";

pub(super) fn connect(parts: Parts, http: &str) -> Result<Arc<dyn Transport>, ConnectError> {
    let (key, secret, token) = match parts.user.clone() {
        Some((key, secret)) => (key, secret, None),
        None => (
            variable("AWS_ACCESS_KEY_ID", "AKIA…")?,
            variable("AWS_SECRET_ACCESS_KEY", "the secret of the key")?,
            variable("AWS_SESSION_TOKEN", "").ok(),
        ),
    };
    let credentials = Credentials::new(key, secret, token, None, "the environment");
    let region = variable("AWS_REGION", REGION).unwrap_or_else(|_| REGION.to_owned());
    let mut settings = Settings::new(region, credentials);
    if !parts.host.is_empty() {
        settings.endpoint = Some(format!("{http}://{}", parts.host));
    }
    for (name, value) in &parts.query {
        match (name.as_str(), value.as_str()) {
            ("region", region) => region.clone_into(&mut settings.region),
            ("order", "key") => settings.order = Order::ByKey,
            ("order", "none") => settings.order = Order::None,
            ("order", other) => {
                return Err(parts.wrong(format!("order={other} is neither key nor none")));
            }
            (name, services) => {
                let topic = name.strip_prefix("topic.");
                let topic = topic.ok_or_else(|| parts.wrong(format!("{name} isn't known")))?;
                let services = services.split(',').map(str::to_owned);
                let known = settings.routes.entry(topic.to_owned()).or_default();
                known.extend(services);
            }
        }
    }
    Ok(Arc::new(Sqs::new(settings)))
}
