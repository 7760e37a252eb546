//! The client library.

use std::time::Duration;

use aws_sdk_sqs::{
    Client, Config,
    config::{
        BehaviorVersion, Region, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};

use crate::Settings;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Sending again is harmless to a FIFO queue, and doubles a message of a standard queue at worst.
const ATTEMPTS: u32 = 3;

/// How long a request for messages may take beyond what it waits.
const WAIT_MARGIN: Duration = Duration::from_secs(5);

impl Settings {
    pub(crate) fn client(&self) -> Client {
        let http = Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            // It takes a request that waits for messages for one that hangs.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts(self.timeout));
        config.set_endpoint_url(self.endpoint.clone());
        Client::from_conf(config.build())
    }

    /// What a request for messages has otherwise. Without a time-out of each attempt the client
    /// library would wait for ever for an endpoint that is gone.
    pub(crate) fn for_receiving(&self) -> aws_sdk_sqs::config::Builder {
        Config::builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(self.wait + WAIT_MARGIN))
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(attempt)
        .build()
}
