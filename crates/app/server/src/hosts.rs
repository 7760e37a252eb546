//! The names that the HTTP ports are reached by.

use stele_app_config::Settings;
use stele_front_accept::Hosts;

/// Those that are set, and those that clients are told to connect to.
pub(crate) fn of(settings: &Settings) -> Hosts {
    let told = settings.auth.hosts.as_deref().unwrap_or_default();
    let advertised = settings.kafka.advertised_host.as_deref();
    let listening = [&*settings.sqs.host, &settings.admin.host];
    Hosts::new(told.split(',').chain(listening).chain(advertised))
}
