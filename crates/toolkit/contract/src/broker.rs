//! A broker for tests: a Stele of their own, or one that is running already.

use std::{collections::BTreeMap, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::Mutex,
    time,
};

use crate::program::program;

/// How long a broker may take to be ready.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a file or a port is looked at.
const POLL: Duration = Duration::from_millis(5);

/// The protocol that a test speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `TOOLKIT_KAFKA=HOST:PORT` names another broker.
    Kafka,
    /// `TOOLKIT_AMQP=amqp://…` names another broker.
    Amqp,
    /// `TOOLKIT_SQS=http://…` names another endpoint.
    Sqs,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Amqp => "amqp",
            Self::Sqs => "sqs",
        }
    }

    fn address(self, port: u16) -> String {
        match self {
            Self::Kafka => format!("127.0.0.1:{port}"),
            Self::Amqp => format!("amqp://guest:guest@127.0.0.1:{port}/%2f"),
            Self::Sqs => format!("http://127.0.0.1:{port}"),
        }
    }
}

/// A broker. A Stele of the test's own is killed when this is dropped.
#[derive(Debug)]
pub struct Broker {
    address: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Of this test alone.
    Own(Stele),
    /// Runs already. The shell command ends it with SIGKILL, starts it again, and returns once it
    /// is ready.
    Running { restart: Option<String> },
}

impl Broker {
    /// The broker that the environment names: `TOOLKIT_KAFKA`, `TOOLKIT_AMQP` or `TOOLKIT_SQS`,
    /// with a command that restarts it in `TOOLKIT_KAFKA_RESTART` and so on. Otherwise a new Stele.
    pub async fn start(protocol: Protocol) -> Self {
        let variable = format!("TOOLKIT_{}", protocol.name().to_uppercase());
        if let Ok(address) = std::env::var(&variable) {
            let restart = std::env::var(format!("{variable}_RESTART")).ok();
            let kind = Kind::Running { restart };
            return Self { address, kind };
        }
        let stele = Stele::start().await;
        Self {
            address: stele.address(protocol),
            kind: Kind::Own(stele),
        }
    }

    /// Where it is, in the form of its protocol's clients.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is a Stele that this test started.
    pub fn is_stele(&self) -> bool {
        matches!(self.kind, Kind::Own(_))
    }

    /// Kills it with SIGKILL and starts it again with the same data on the same ports. `false` if
    /// it is another's and nobody said how.
    pub async fn crash(&self) -> bool {
        match &self.kind {
            Kind::Own(stele) => {
                stele.crash().await;
                true
            }
            Kind::Running { restart: None } => false,
            Kind::Running {
                restart: Some(command),
            } => {
                let mut shell = Command::new("sh");
                let status = shell.arg("-c").arg(command).status().await;
                let status = status.expect("a shell");
                assert!(status.success(), "`{command}` failed: {status}");
                true
            }
        }
    }
}

/// A Stele of one's own, which speaks all protocols. It is killed when this is dropped.
#[derive(Debug)]
pub struct Stele {
    directory: TempDir,
    ports: Ports,
    process: Box<Mutex<Child>>,
}

impl Stele {
    /// Starts one with no data, and returns once it is ready.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (process, ports) = start_on_free_ports(directory.path()).await;
        Self {
            directory,
            ports,
            process: Box::new(Mutex::new(process)),
        }
    }

    /// Where it is, in the form of the protocol's clients.
    pub fn address(&self, protocol: Protocol) -> String {
        protocol.address(self.ports[protocol.name()])
    }

    /// Kills it with SIGKILL and starts it again with the same data on the same ports.
    pub async fn crash(&self) {
        let mut process = self.process.lock().await;
        process.kill().await.expect("it runs");
        let again = serve(self.directory.path(), &self.ports).await;
        *process = again.expect("it starts again");
    }
}

/// The port of each listener.
type Ports = BTreeMap<&'static str, u16>;

/// Starts Stele on ports that are free, which are told to it: the ports that it picks itself when
/// told 0 are in use for a minute after a crash, by the connections that it left.
async fn start_on_free_ports(directory: &Path) -> (Child, Ports) {
    const TRIES: usize = 5;
    let mut last = String::new();
    for _ in 0..TRIES {
        let ports = free_ports().await;
        match serve(directory, &ports).await {
            Ok(process) => return (process, ports),
            // Another process may have taken one of the ports meanwhile.
            Err(log) => last = log,
        }
    }
    panic!("stele ended at {TRIES} starts: {last}");
}

async fn free_ports() -> Ports {
    let mut sockets = Vec::new();
    for name in ["kafka", "amqp", "sqs", "admin"] {
        let socket = TcpListener::bind(("127.0.0.1", 0)).await;
        sockets.push((name, socket.expect("a free port")));
    }
    let port = |socket: &TcpListener| socket.local_addr().expect("bound").port();
    sockets.iter().map(|(name, s)| (*name, port(s))).collect()
}

/// Starts Stele, and returns once it is ready, or with its log if it ends.
async fn serve(directory: &Path, ports: &Ports) -> Result<Child, String> {
    let ports_file = directory.join("ports.json");
    // Of an earlier start; a missing one is as good.
    tokio::fs::remove_file(&ports_file).await.ok();
    let log = directory.join("log");
    let mut opening = tokio::fs::OpenOptions::new();
    let output = opening.create(true).append(true).open(&log).await;
    let output = output.expect("a file").into_std().await;
    let mut command = Command::new(program().await);
    command
        .arg("serve")
        .arg("--dir")
        .arg(directory.join("data"));
    command.arg("--ports-file").arg(&ports_file);
    // By default a group waits 3 seconds for more members, at each first subscription of a test.
    command.args(["--set", "kafka.group_gathering=0s"]);
    for (name, port) in ports {
        command.args(["--set", &format!("{name}.port={port}")]);
    }
    command.stdout(output.try_clone().expect("a descriptor"));
    command.stderr(output).kill_on_drop(true);
    let mut process = command.spawn().expect("the program `stele`");
    let ready = time::timeout(START_TIMEOUT, is_written(&ports_file, &mut process));
    if ready.await.expect("stele is ready in time") {
        return Ok(process);
    }
    Err(tokio::fs::read_to_string(log).await.unwrap_or_default())
}

/// Whether Stele writes a file, which it does when it is ready, or ends.
async fn is_written(file: &Path, process: &mut Child) -> bool {
    while tokio::fs::metadata(file).await.is_err() {
        if process.try_wait().expect("its own child").is_some() {
            return false;
        }
        time::sleep(POLL).await;
    }
    true
}
