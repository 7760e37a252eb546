//! The open connections, for listing and closing them.

use std::{collections::BTreeMap, future::pending, net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use stele_base_types::{ConsumerId, LogId, Name, Principal, Timestamp};
use tokio::sync::watch;

/// Data about a connection.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// The protocol and its version.
    pub protocol: &'static str,
    /// The client.
    pub principal: Principal,
    /// The server address that the client connected to.
    pub local: SocketAddr,
    /// The virtual host.
    pub vhost: Name,
    /// When it was opened.
    pub since: Timestamp,
    /// The client's properties.
    pub properties: Vec<(String, String)>,
    /// The negotiated values, by the protocol's names.
    pub figures: Vec<(&'static str, u64)>,
    /// Its consumers.
    pub consumers: Consumers,
}

/// The consumers of a connection, which updates them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Consumers(Arc<Mutex<BTreeMap<ConsumerId, ConsumerInfo>>>);

/// Data about a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerInfo {
    /// The log that it consumes.
    pub log: LogId,
    /// The name that the client knows it by.
    pub tag: String,
    /// The channel of the connection.
    pub channel: u16,
    /// Whether it acknowledges messages.
    pub acknowledges: bool,
    /// Whether it must be the only consumer.
    pub exclusive: bool,
    /// How many unacknowledged messages it may have; `None` for no limit.
    pub prefetch: Option<u32>,
}

impl Consumers {
    /// Adds a consumer.
    pub fn add(&self, id: ConsumerId, info: ConsumerInfo) {
        self.0.lock().insert(id, info);
    }

    /// Removes a consumer.
    pub fn remove(&self, id: ConsumerId) {
        self.0.lock().remove(&id);
    }

    /// The tag of a consumer.
    pub fn tag(&self, id: ConsumerId) -> Option<String> {
        let consumers = self.0.lock();
        consumers.get(&id).map(|info| info.tag.clone())
    }

    /// The consumers of a log.
    pub fn of(&self, log: LogId) -> Vec<(ConsumerId, ConsumerInfo)> {
        let consumers = self.0.lock();
        let of_log = consumers.iter().filter(|(_, info)| info.log == log);
        of_log.map(|(id, info)| (*id, info.clone())).collect()
    }
}

impl ConnectionInfo {
    /// Its name, unique among open connections.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.principal.address, self.local)
    }
}

/// The connections of the fronts that register theirs.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    open: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    info: Arc<ConnectionInfo>,
    /// The reason to close the connection, once a close is requested.
    close: watch::Sender<Option<String>>,
}

/// A connection's entry in the registry. Dropping it removes the entry.
#[derive(Debug)]
pub struct Registered {
    registry: Registry,
    id: u64,
    close: watch::Receiver<Option<String>>,
}

impl Registry {
    /// Registers a connection.
    pub fn open(&self, info: ConnectionInfo) -> Registered {
        let (sender, receiver) = watch::channel(None);
        let mut entries = self.0.lock();
        let id = entries.next;
        entries.next += 1;
        let entry = Entry {
            info: Arc::new(info),
            close: sender,
        };
        entries.open.insert(id, entry);
        Registered {
            registry: self.clone(),
            id,
            close: receiver,
        }
    }

    /// The open connections, in the order of opening.
    pub fn list(&self) -> Vec<Arc<ConnectionInfo>> {
        let entries = self.0.lock();
        let open = entries.open.values();
        open.map(|entry| Arc::clone(&entry.info)).collect()
    }

    /// Requests that a connection be closed. Returns false if no connection has the name.
    pub fn close(&self, name: &str, reason: &str) -> bool {
        let entries = self.0.lock();
        let found = entries
            .open
            .values()
            .find(|entry| entry.info.name() == name);
        found.is_some_and(|entry| {
            entry.close.send_replace(Some(reason.to_owned()));
            true
        })
    }
}

impl Registered {
    /// Returns the reason once a close of the connection is requested.
    pub async fn close(&mut self) -> String {
        let reason = self.close.wait_for(Option::is_some).await;
        match reason.ok().and_then(|reason| reason.clone()) {
            Some(reason) => reason,
            // The registry is gone, so no close can be requested any more.
            None => pending().await,
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.0.lock().open.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(port: u16) -> ConnectionInfo {
        ConnectionInfo {
            protocol: "echo",
            principal: Principal::anonymous(([127, 0, 0, 1], port).into()),
            local: ([127, 0, 0, 1], 5672).into(),
            vhost: Name::vhost_default(),
            since: Timestamp(0),
            properties: Vec::new(),
            figures: Vec::new(),
            consumers: Consumers::default(),
        }
    }

    #[tokio::test]
    async fn a_connection_is_listed_until_it_ends_and_closed_by_its_name() {
        let registry = Registry::default();
        let (first, mut second) = (registry.open(info(1)), registry.open(info(2)));
        let names = || {
            registry
                .list()
                .iter()
                .map(|info| info.name())
                .collect::<Vec<_>>()
        };
        let expected = [
            "127.0.0.1:1 -> 127.0.0.1:5672",
            "127.0.0.1:2 -> 127.0.0.1:5672",
        ];
        assert_eq!(names(), expected);
        assert!(registry.close(expected[1], "because"));
        assert_eq!(second.close().await, "because");
        drop(first);
        assert_eq!(names(), expected[1..]);
        assert!(!registry.close(expected[0], "because"));
    }
}
