//! The settings of the front.

use stele_base_types::User;
use stele_front_accept::{Hosts, Registry, Sockets, Traced};

/// Access to everything but health.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The users, one of whom must log in; `None` allows anybody, for a port on loopback.
    pub users: Option<Vec<User>>,
    /// The host names that requests may use while anybody is allowed.
    pub hosts: Hosts,
    /// The connections that can be listed and closed.
    pub connections: Registry,
    /// Whose messages are traced.
    pub traced: Traced,
    /// The RabbitMQ version that its API reports.
    pub rabbitmq_version: String,
    /// The socket limit shared with other fronts' clients.
    pub sockets: Sockets,
}
