//! Where the processes listen.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::{RunSettings, programs::DATABASES};
use crate::{process::Failed, settings::Protocol};

/// The addresses of all processes, also in the file `addresses.json`. They stay the same when a
/// process is started again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// The protocol by which the services talk: `kafka`.
    pub protocol: String,
    /// Who decides what happens to an order: `choreographed`.
    pub style: String,
    /// The database of each process that has one.
    pub databases: BTreeMap<String, String>,
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
    /// Those of the shop that keeps its files in a directory, once it is open.
    pub async fn of_shop(dir: &Path) -> Result<Self, Failed> {
        let file = dir.join("addresses.json");
        let text = tokio::fs::read(&file).await;
        let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// The HTTP interface of a service.
    pub fn of_service(&self, name: &str) -> Option<SocketAddr> {
        Some(match name {
            "order" => self.order,
            "inventory" => self.inventory,
            "payment" => self.payment,
            "shipping" => self.shipping,
            "notification" => self.notification,
            "analytics" => self.analytics,
            _ => return None,
        })
    }

    /// The database of a process.
    pub(super) fn database(&self, name: &str) -> Result<&str, Failed> {
        let url = self.databases.get(name).map(String::as_str);
        url.ok_or_else(|| format!("{name} has no database").into())
    }

    /// The services beside the order service, in the order in which an order meets them.
    pub fn peers(&self) -> [(&'static str, SocketAddr); 5] {
        [
            ("inventory", self.inventory),
            ("payment", self.payment),
            ("shipping", self.shipping),
            ("notification", self.notification),
            ("analytics", self.analytics),
        ]
    }

    /// Free addresses.
    pub(super) async fn choose(settings: &RunSettings, dir: &Path) -> Result<Self, Failed> {
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
            _ => given(settings.http, &mut held).await?,
        };
        Ok(Self {
            protocol: settings.protocol.name().to_owned(),
            style: settings.style.name().to_owned(),
            databases: databases(settings, dir),
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

fn databases(settings: &RunSettings, dir: &Path) -> BTreeMap<String, String> {
    let file = |name: &str| format!("sqlite:{}", dir.join(format!("{name}.db")).display());
    let of_service = |name: &str| match &settings.postgres {
        Some(server) => format!("{server}/{}", database_of(name)),
        None => file(name),
    };
    let services = DATABASES
        .iter()
        .map(|name| (name.to_string(), of_service(name)));
    let provider = ("provider".to_owned(), file("provider"));
    services.chain([provider]).collect()
}

/// The name of a service's database on a PostgreSQL server.
pub(super) fn database_of(service: &str) -> String {
    format!("shop_{service}")
}

/// An address that was chosen. That it is taken is told here: the process that listens there would
/// be started again and again.
async fn given(address: SocketAddr, held: &mut Vec<TcpListener>) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("{address}: {error}; choose --http"))?;
    held.push(listener);
    Ok(address)
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
