//! Tests the loop with real sockets; only the listener that fails to accept is a mock.

use stele_test_testkit::TestBroker;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
};

use super::*;

/// A port that greets every connection and then echoes every byte.
struct Echo {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

fn limits() -> Limits {
    Limits {
        front: "echo",
        connections_max: 10,
        sockets: Sockets::default(),
        drain_max: None,
        meter: None,
    }
}

impl Echo {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::on(Listening::from(listener), address, limits)
    }

    fn on(source: impl Source + Send + 'static, address: SocketAddr, limits: Limits) -> Self {
        let (stop, stopping) = watch::channel(false);
        let served = tokio::spawn(serve_from(source, limits, stopping.into(), echo));
        Self {
            address,
            stop,
            served,
        }
    }

    /// A client that has been accepted.
    async fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'!');
        client
    }
}

/// Runs until its client closes, even when the process stops.
async fn echo(accepted: Accepted) {
    let mut stream = accepted.stream;
    stream.write_u8(b'!').await.unwrap();
    while let Ok(byte) = stream.read_u8().await {
        stream.write_u8(byte).await.unwrap();
    }
}

#[tokio::test]
async fn a_stop_takes_nothing_new_and_waits_for_what_is_open() {
    let echo = Echo::start(limits()).await;
    let mut client = echo.client().await;
    echo.stop.send_replace(true);
    while TcpStream::connect(echo.address).await.is_ok() {}
    client.write_u8(7).await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), 7);
    assert!(!echo.served.is_finished());
    drop(client);
    echo.served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_cut_off() {
    let drain_max = Some(Duration::from_secs(3));
    let echo = Echo::start(Limits {
        drain_max,
        ..limits()
    })
    .await;
    let mut client = echo.client().await;
    echo.stop.send_replace(true);
    echo.served.await.unwrap();
    assert!(client.read_u8().await.is_err());
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_room_is_given_again() {
    let connections_max = 1;
    let echo = Echo::start(Limits {
        connections_max,
        ..limits()
    })
    .await;
    let first = echo.client().await;
    let mut second = TcpStream::connect(echo.address).await.unwrap();
    assert!(second.read_u8().await.is_err());
    drop(first);
    // The server notices after a moment.
    loop {
        let mut third = TcpStream::connect(echo.address).await.unwrap();
        if third.read_u8().await.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn fronts_share_sockets_and_one_too_many_is_closed() {
    let sockets = Sockets::at_most(2);
    let limits = || Limits {
        sockets: sockets.clone(),
        ..limits()
    };
    let (one, other) = (Echo::start(limits()).await, Echo::start(limits()).await);
    let first = one.client().await;
    let _second = other.client().await;
    for echo in [&one, &other] {
        let mut third = TcpStream::connect(echo.address).await.unwrap();
        assert!(third.read_u8().await.is_err());
    }
    drop(first);
    // The server notices after a moment.
    loop {
        let mut third = TcpStream::connect(other.address).await.unwrap();
        if third.read_u8().await.is_ok() {
            return;
        }
    }
}

#[tokio::test]
async fn a_connection_is_counted_while_it_is_open() {
    let test = TestBroker::start();
    let meter = Some(test.broker.front_meter("echo", &[]));
    let echo = Echo::start(Limits { meter, ..limits() }).await;
    let client = echo.client().await;
    let counts = || test.broker.front_counts().remove(0);
    assert_eq!(counts().connections, 1);
    drop(client);
    echo.stop.send_replace(true);
    echo.served.await.unwrap();
    assert_eq!((counts().connections, counts().connections_total), (0, 1));
    test.stop().await;
}

#[tokio::test]
async fn a_client_is_anonymous_from_its_first_byte_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (stop, stopping) = watch::channel(false);
    let served = serve(listener, limits(), stopping.into(), |accepted| async move {
        let mut stream = accepted.stream;
        let who = accepted.principal.to_string();
        stream.write_all(who.as_bytes()).await.unwrap();
    });
    let served = tokio::spawn(served);
    let mut who = String::new();
    client.read_to_string(&mut who).await.unwrap();
    let address = client.local_addr().unwrap();
    assert_eq!(who, format!("anonymous@{address}"));
    stop.send_replace(true);
    served.await.unwrap();
}

/// A listener whose first accepts fail.
struct Scarce {
    listener: TcpListener,
    refusals: u32,
}

impl Source for Scarce {
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        if self.refusals > 0 {
            self.refusals -= 1;
            return Err(io::Error::other("too many open files"));
        }
        self.listener.accept().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_accept_is_tried_again_after_a_rest() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let refusals = 3;
    let began = tokio::time::Instant::now();
    let source = Scarce { listener, refusals };
    let echo = Echo::on(source, address, limits());
    drop(echo.client().await);
    assert!(began.elapsed() >= refusals * ACCEPT_REST);
}

#[tokio::test]
async fn a_port_takes_clients_at_each_of_its_addresses() {
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let addresses = listeners.iter().map(|socket| socket.local_addr().unwrap());
    let addresses = addresses.collect::<Vec<_>>();
    let mut echo = Echo::on(Listening::from(listeners), addresses[0], limits());
    let mut clients = Vec::new();
    for address in [addresses[2], addresses[0], addresses[0], addresses[1]] {
        echo.address = address;
        clients.push(echo.client().await);
    }
}
