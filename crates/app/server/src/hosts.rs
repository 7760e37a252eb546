//! The names under which the HTTP ports can be reached.

use stele_app_config::Settings;
use stele_front_accept::Hosts;

/// The configured names, and those advertised to clients.
pub(crate) fn of(settings: &Settings) -> Hosts {
    let told = settings.auth.hosts.as_deref().unwrap_or_default();
    let advertised = settings.kafka.advertised_host.as_deref();
    let listening = [&*settings.sqs.host, &settings.admin.host];
    Hosts::new(told.split(',').chain(listening).chain(advertised))
}
