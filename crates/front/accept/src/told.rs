//! Log messages about rejected clients, the same for every port.

use std::{fmt::Display, net::SocketAddr};

use crate::FirstOctets;

/// How much of a client-provided name is logged.
const USER_CHARACTERS_MAX: usize = 80;

/// Logs a failed login with the user name and the reason. The client never learns the reason,
/// because it could reveal which users exist.
pub fn log_failed_login(
    front: &'static str,
    peer: SocketAddr,
    user: &str,
    reason: &(dyn Display + Sync),
) {
    let user: String = user.chars().take(USER_CHARACTERS_MAX).collect();
    tracing::warn!(%peer, user, %reason, "{front}: login failed");
}

/// Logs why an HTTP connection ended. Returns whether the client is at fault: it spoke another
/// protocol, or was too slow.
pub fn log_http_end(
    front: &'static str,
    peer: SocketAddr,
    first: &FirstOctets,
    error: &hyper::Error,
) -> bool {
    if error.is_parse() {
        let reason = first.not_http().unwrap_or_else(|| error.to_string());
        tracing::warn!(%peer, reason, "{front}: connection closed");
        return true;
    }
    tracing::debug!(%peer, reason = %error, "{front}: connection closed");
    error.is_timeout()
}
