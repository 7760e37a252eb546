//! What the front is set to.

use stele_base_types::User;
use stele_front_accept::{Hosts, Registry, Sockets};

/// Who may ask for more than health.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The users, one of whom must log in; `None` lets anybody in, for a port on loopback.
    pub users: Option<Vec<User>>,
    /// The names that the server is reached by, of which requests are asked while anybody is let
    /// in.
    pub hosts: Hosts,
    /// The connections that can be listed and closed.
    pub connections: Registry,
    /// The version of RabbitMQ that its API says it is of.
    pub rabbitmq_version: String,
    /// The sockets that its clients may have.
    pub sockets: Sockets,
}
