//! The ports: bound before anything else, listening once there is something to answer with.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};
use stele_app_config::Settings;
use tokio::net::TcpListener;

/// Connections that may wait to be accepted, so that a crowd that connects at once gets in.
const BACKLOG: i32 = 1024;

/// A port that is ours and doesn't listen yet.
#[derive(Debug)]
pub(crate) struct Bound {
    /// What it is for, as the ports file names it.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) address: SocketAddr,
    socket: Socket,
}

impl Bound {
    /// Takes the port of `host`; 0 takes any.
    pub(crate) fn new(name: &'static str, host: &str, port: u16) -> anyhow::Result<Self> {
        let advice = || {
            format!("cannot listen on {host}:{port} for {name} (change {name}.host or {name}.port)")
        };
        let address = (host, port)
            .to_socket_addrs()
            .with_context(advice)?
            .next()
            .with_context(advice)?;
        let open = || {
            let domain = Domain::for_address(address);
            let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
            // A named port can be taken again right after a restart. One that the system chooses
            // must be nobody else's, which the option would not promise.
            socket.set_reuse_address(port != 0)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            Ok::<_, std::io::Error>(socket)
        };
        let socket = open().with_context(advice)?;
        let local = socket.local_addr().with_context(advice)?;
        let address = local.as_socket().with_context(advice)?;
        Ok(Self {
            name,
            address,
            socket,
        })
    }

    /// From now on clients can connect.
    pub(crate) fn listen(self) -> anyhow::Result<TcpListener> {
        let Self {
            name,
            address,
            socket,
        } = self;
        let advice = || format!("cannot listen on {address} for {name}");
        socket.listen(BACKLOG).with_context(advice)?;
        TcpListener::from_std(socket.into()).with_context(advice)
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
    /// Takes every port that the settings name.
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

    /// Names and addresses, in the order in which they are shown.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        [&self.kafka, &self.amqp, &self.sqs]
            .into_iter()
            .chain(&self.sqs_alias)
            .chain([&self.admin])
            .map(|bound| (bound.name, bound.address))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_listens_is_taken_and_the_error_names_the_key() {
        let first = Bound::new("kafka", "127.0.0.1", 0).expect("any free port");
        let port = first.address.port();
        let _listener = first.listen().expect("it is ours");
        let error = Bound::new("amqp", "127.0.0.1", port).expect_err("it is taken");
        let text = format!("{error:#}");
        assert!(
            text.contains(&format!("127.0.0.1:{port} for amqp")),
            "{text}"
        );
        assert!(text.contains("amqp.port"), "{text}");
    }
}
