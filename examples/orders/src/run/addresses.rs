//! Where the processes listen.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::RunSettings;
use crate::{process::Failed, settings::Protocol};

/// The addresses of all processes, also in the file `addresses.json`. They stay the same when a
/// process is started again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// The broker, in the form of its protocol's clients.
    pub broker: String,
    /// The ports of the broker's listeners, if it is a Stele of this shop.
    pub broker_ports: BTreeMap<String, u16>,
    /// The order service's HTTP interface.
    pub order: SocketAddr,
    /// The inventory service's.
    pub inventory: SocketAddr,
    /// The payment service's.
    pub payment: SocketAddr,
    /// The shipping service's.
    pub shipping: SocketAddr,
    /// The notification service's.
    pub notification: SocketAddr,
    /// The analytics service's.
    pub analytics: SocketAddr,
    /// The payment provider's.
    pub provider: SocketAddr,
    /// The mail server's, which lists mails.
    pub sink: SocketAddr,
    /// Where the mail server takes mail.
    pub smtp: SocketAddr,
}

const LISTENERS: [&str; 4] = ["kafka", "amqp", "sqs", "admin"];

impl Addresses {
    /// Free addresses.
    pub(super) async fn choose(settings: &RunSettings) -> Result<Self, Failed> {
        // All are held until the last is found, so that none is found twice.
        let mut held = Vec::new();
        let mut broker_ports = BTreeMap::new();
        if settings.broker.is_none() {
            for name in LISTENERS {
                broker_ports.insert(name.to_owned(), free(&mut held).await?.port());
            }
        }
        let order = match settings.http.port() {
            0 => free(&mut held).await?,
            _ => settings.http,
        };
        Ok(Self {
            broker: match &settings.broker {
                Some(broker) => broker.clone(),
                None => address(settings.protocol, &broker_ports),
            },
            broker_ports,
            order,
            inventory: free(&mut held).await?,
            payment: free(&mut held).await?,
            shipping: free(&mut held).await?,
            notification: free(&mut held).await?,
            analytics: free(&mut held).await?,
            provider: free(&mut held).await?,
            sink: free(&mut held).await?,
            smtp: free(&mut held).await?,
        })
    }
}

async fn free(held: &mut Vec<TcpListener>) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    held.push(listener);
    Ok(address)
}

fn address(protocol: Protocol, ports: &BTreeMap<String, u16>) -> String {
    let port = ports.get(protocol.name()).copied().unwrap_or_default();
    match protocol {
        Protocol::Kafka => format!("127.0.0.1:{port}"),
        Protocol::Amqp => format!("amqp://guest:guest@127.0.0.1:{port}/%2f"),
        Protocol::Sqs => format!("http://127.0.0.1:{port}"),
    }
}
