//! What the log is told of clients that aren't let in, in the same words at every port.

use std::{fmt::Display, net::SocketAddr};

use crate::FirstOctets;

/// How much of a name that a client gave is logged.
const USER_CHARACTERS_MAX: usize = 80;

/// Logs that nobody is logged in: which user was asked for, and why not. A client is never told the
/// reason, which could tell it what users there are.
pub fn log_failed_login(
    front: &'static str,
    peer: SocketAddr,
    user: &str,
    reason: &(dyn Display + Sync),
) {
    let user: String = user.chars().take(USER_CHARACTERS_MAX).collect();
    tracing::warn!(%peer, user, %reason, "{front}: login failed");
}

/// Logs why a connection of HTTP has ended. Returns whether its client is to blame: it spoke
/// something else, or was too slow.
pub fn log_http_end(
    front: &'static str,
    peer: SocketAddr,
    first: &FirstOctets,
    error: &hyper::Error,
) -> bool {
    if error.is_parse() {
        let reason = first
            .foreign_to("HTTP")
            .unwrap_or_else(|| error.to_string());
        tracing::warn!(%peer, reason, "{front}: connection closed");
        return true;
    }
    tracing::debug!(%peer, reason = %error, "{front}: connection closed");
    error.is_timeout()
}
