//! A shop of a test's own: `shop run` as a process, with everything that it starts.

use std::{
    future::Future,
    io::{self, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use orders::{http::HttpClient, run::Addresses};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Serialize, de::DeserializeOwned};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::TIMEOUT;

/// How often something is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// A shop. Dropping it closes it.
pub(crate) struct Shop {
    pub(crate) addresses: Addresses,
    http: HttpClient,
    process: Child,
    pub(crate) directory: Option<TempDir>,
}

impl Shop {
    /// Starts everything on free ports.
    pub(crate) async fn open(protocol: &str, style: &str) -> Self {
        Self::open_with(protocol, style, &[]).await
    }

    /// The same, with more arguments for `shop run`.
    pub(crate) async fn open_with(protocol: &str, style: &str, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stele = stele_toolkit_contract::program().await;
        let mut process = Command::new(env!("CARGO_BIN_EXE_shop"))
            .args(["run", "--http", "127.0.0.1:0", "--stock"])
            .arg("teapot=100000,cup=100000,lamp=20,kettle=0")
            .args(["--transport", protocol, "--style", style, "--stele"])
            .arg(stele)
            .arg("--dir")
            .arg(directory.path())
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let file = directory.path().join("addresses.json");
        let begun = Instant::now();
        let addresses = loop {
            if let Ok(text) = tokio::fs::read(&file).await {
                break serde_json::from_slice(&text).unwrap();
            }
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "the shop ended: {ended:?}");
            assert!(begun.elapsed() < TIMEOUT, "the shop doesn't open");
            sleep(POLL).await;
        };
        Self {
            addresses,
            http: HttpClient::new(TIMEOUT),
            process,
            directory: Some(directory),
        }
    }

    /// Sends a request to the order service.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> T {
        let url = format!("http://{}{path}", self.addresses.order);
        let answer = self.http.post(&url, &[], body).await.unwrap();
        assert!(answer.status.is_success(), "{}", answer.text());
        answer.json().unwrap()
    }

    /// Asks the order service.
    pub(crate) async fn read_order<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        self.read(self.addresses.order, path).await
    }

    /// Asks a process.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        of: SocketAddr,
        path: &str,
    ) -> Result<T, String> {
        let answer = self.http.get(&format!("http://{of}{path}")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        answer.json().map_err(|_| answer.text())
    }

    /// Runs another command of the program on this shop; its output, and whether it succeeded.
    pub(crate) async fn command(&self, command: &str, arguments: &[&str]) -> (String, bool) {
        let directory = self.directory.as_ref().unwrap();
        let mut running = tokio::process::Command::new(env!("CARGO_BIN_EXE_shop"));
        let running = running.args([command, "--dir"]).arg(directory.path());
        let output = running.args(arguments).kill_on_drop(true).output().await;
        let output = output.unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        text.push_str(&String::from_utf8(output.stderr).unwrap());
        (text, output.status.success())
    }

    /// The same; it has to succeed.
    pub(crate) async fn succeed(&self, command: &str, arguments: &[&str]) {
        let (output, is_done) = self.command(command, arguments).await;
        assert!(is_done, "shop {command}: {output}");
    }

    /// Closes it, which has to go by itself.
    pub(crate) async fn close(mut self) {
        self.ask_to_end();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "the shop ended with {status}");
    }

    fn ask_to_end(&self) {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        kill_process(pid.unwrap(), Signal::TERM).ok();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // Only after a failure: `close` has waited for it.
        if self.process.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.ask_to_end();
            self.process.wait().ok();
        }
        if std::thread::panicking()
            && let Some(directory) = self.directory.take()
        {
            let kept = directory.keep();
            writeln!(io::stderr(), "its logs are in {}", kept.display()).ok();
        }
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually<F: Future<Output = Result<(), String>>>(
    what: &str,
    mut holds: impl FnMut() -> F,
) {
    let begun = Instant::now();
    loop {
        let Err(why) = holds().await else { return };
        assert!(begun.elapsed() < TIMEOUT, "{what}: {why}");
        sleep(POLL).await;
    }
}
