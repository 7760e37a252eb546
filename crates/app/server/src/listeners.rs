//! The ports. They are bound before anything else, and listen once requests can be served.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
};

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};
use stele_app_config::{Settings, is_localhost};
use stele_front_accept::Listening;
use tokio::net::TcpListener;

/// Length of the accept queue, enough for many clients that connect at once.
const BACKLOG: i32 = 1024;

/// A port that is bound but doesn't listen yet.
#[derive(Debug)]
pub(crate) struct Bound {
    /// Its name in the ports file.
    pub(crate) name: &'static str,
    /// Its addresses. `localhost` has two, with the same port.
    sockets: Vec<(SocketAddr, Socket)>,
}

impl Bound {
    /// Binds the port on `host`; 0 picks a free port.
    pub(crate) fn new(name: &'static str, host: &str, port: u16) -> anyhow::Result<Self> {
        let advice = |host: &str, port: u16| {
            format!("cannot listen on {host}:{port} for {name} (change {name}.host or {name}.port)")
        };
        let is_localhost = is_localhost(host);
        let resolved = if is_localhost {
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        } else {
            resolve(host, port)
        };
        let first = resolved
            .and_then(open)
            .with_context(|| advice(host, port))?;
        let taken = first.0.port();
        let mut sockets = vec![first];
        if is_localhost {
            let second = open_beside(taken, port == 0).with_context(|| advice("[::1]", taken))?;
            sockets.extend(second);
        }
        Ok(Self { name, sockets })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.addresses().next().map_or(0, |address| address.port())
    }

    /// The addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address)
    }

    /// Whether it can be reached only from this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.addresses().all(|address| address.ip().is_loopback())
    }

    /// Starts listening: from now on clients can connect.
    pub(crate) fn listen(self) -> anyhow::Result<Listening> {
        let name = self.name;
        let listen = |(address, socket): (SocketAddr, Socket)| {
            let advice = || format!("cannot listen on {address} for {name}");
            socket.listen(BACKLOG).with_context(advice)?;
            TcpListener::from_std(socket.into()).with_context(advice)
        };
        let listeners = self.sockets.into_iter().map(listen);
        Ok(listeners.collect::<anyhow::Result<Vec<_>>>()?.into())
    }
}

fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut addresses = (host, port).to_socket_addrs()?;
    addresses
        .next()
        .ok_or_else(|| io::Error::other("it has no address"))
}

fn open(address: SocketAddr) -> io::Result<(SocketAddr, Socket)> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    // A configured port must be available right after a restart. A port that the system picks must
    // not be shared, which the option would permit.
    socket.set_reuse_address(address.port() != 0)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let local = socket.local_addr()?.as_socket();
    let local = local.ok_or_else(|| io::Error::other("bound to no address"))?;
    Ok((local, socket))
}

/// Binds the second address of `localhost`, which many clients try first. Returns `None` on a
/// machine without IPv6, and if the system picked the port and another process has it on the second
/// address.
fn open_beside(port: u16, is_chosen: bool) -> io::Result<Option<(SocketAddr, Socket)>> {
    match open((Ipv6Addr::LOCALHOST, port).into()) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == ErrorKind::AddrInUse && !is_chosen => Err(error),
        Err(error) => {
            tracing::info!(%error, port, "not listening on ::1");
            Ok(None)
        }
    }
}

/// All ports of a process.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) kafka: Bound,
    pub(crate) amqp: Bound,
    pub(crate) sqs: Bound,
    pub(crate) sqs_alias: Option<Bound>,
    pub(crate) admin: Bound,
}

impl Listeners {
    /// Binds every configured port.
    pub(crate) fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let Settings {
            kafka,
            amqp,
            sqs,
            admin,
            ..
        } = settings;
        let alias = sqs
            .alias_port
            .map(|port| Bound::new("sqs_alias", &sqs.host, port));
        Ok(Self {
            kafka: Bound::new("kafka", &kafka.host, kafka.port)?,
            amqp: Bound::new("amqp", &amqp.host, amqp.port)?,
            sqs: Bound::new("sqs", &sqs.host, sqs.port)?,
            sqs_alias: alias.transpose()?,
            admin: Bound::new("admin", &admin.host, admin.port)?,
        })
    }

    /// Names and addresses, in display order.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        [&self.kafka, &self.amqp, &self.sqs]
            .into_iter()
            .chain(&self.sqs_alias)
            .chain([&self.admin])
            .flat_map(|bound| bound.addresses().map(|address| (bound.name, address)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_port_that_listens_is_taken_and_the_error_names_the_key() {
        let first = Bound::new("kafka", "127.0.0.1", 0).expect("any free port");
        let port = first.port();
        let _listener = first.listen().expect("it is ours");
        let error = Bound::new("amqp", "127.0.0.1", port).expect_err("it is taken");
        let text = format!("{error:#}");
        assert!(
            text.contains(&format!("127.0.0.1:{port} for amqp")),
            "{text}"
        );
        assert!(text.contains("amqp.port"), "{text}");
    }

    #[tokio::test]
    async fn localhost_is_both_loopback_addresses_on_one_port() {
        let Ok(probe) = TcpListener::bind("[::1]:0").await else {
            return; // no IPv6 here
        };
        let bound = Bound::new("kafka", "localhost", 0).expect("any free port");
        let (port, addresses) = (bound.port(), bound.addresses().collect::<Vec<_>>());
        let _listening = bound.listen().expect("it is ours");
        // Another process may hold the port on ::1.
        for address in addresses {
            assert_eq!(address.port(), port);
            TcpStream::connect(address).await.expect("it listens");
        }
        let taken = probe.local_addr().expect("bound").port();
        let error = Bound::new("amqp", "localhost", taken).expect_err("it is taken");
        let text = format!("{error:#}");
        assert!(text.contains(&format!("[::1]:{taken} for amqp")), "{text}");
    }
}
