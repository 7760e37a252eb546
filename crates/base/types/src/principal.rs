//! The identity of a client.

use std::{fmt, net::SocketAddr};

use crate::{Name, SessionId};

/// The client at the other end of a connection: anonymous until it logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The address it connects from.
    pub address: SocketAddr,
    /// Its proven identity; `None` while it is anonymous.
    pub login: Option<Login>,
    /// The session that holds its leases and exclusive logs; `None` if its protocol ties neither to
    /// a connection.
    pub session: Option<SessionId>,
}

/// A user, and how its identity was proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name, or the id of the access key.
    pub user: Name,
    /// What was checked.
    pub proof: Proof,
}

/// How a login was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A name and its password: AMQP's PLAIN and AMQPLAIN, HTTP's Basic.
    Password,
    /// A signature made with the secret of an access key: SQS.
    Signature,
}

impl Principal {
    /// A client that has just connected.
    pub fn anonymous(address: SocketAddr) -> Self {
        Self {
            address,
            login: None,
            session: None,
        }
    }

    /// The user's name, once there is one.
    pub fn user(&self) -> Option<&str> {
        self.login.as_ref().map(|login| login.user.as_str())
    }
}

/// `user@address`, for log messages.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user().unwrap_or("anonymous");
        write!(f, "{user}@{}", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_anonymous_until_it_logs_in() {
        let mut client = Principal::anonymous(([127, 0, 0, 1], 4000).into());
        assert_eq!(client.user(), None);
        assert_eq!(client.to_string(), "anonymous@127.0.0.1:4000");
        client.login = Some(Login {
            user: Name::new("guest").unwrap(),
            proof: Proof::Password,
        });
        assert_eq!(client.user(), Some("guest"));
        assert_eq!(client.to_string(), "guest@127.0.0.1:4000");
    }
}
