//! The processes of a shop, by their names.

use std::{path::PathBuf, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{faults::disk::Disk, http::HttpClient, process::Failed, run::Addresses};

/// How long a process may take to start again, or to come to a point.
const PATIENCE: Duration = Duration::from_secs(10);

const POLL: Duration = Duration::from_millis(20);

/// The processes of a shop.
#[derive(Debug)]
pub(super) struct Processes {
    pids: PathBuf,
    addresses: Addresses,
    http: HttpClient,
}

impl Processes {
    pub(super) fn new(dir: &std::path::Path, addresses: Addresses) -> Self {
        Self {
            pids: dir.join("pids"),
            addresses,
            http: HttpClient::new(Duration::from_secs(1)),
        }
    }

    async fn pid(&self, name: &str) -> Result<Pid, Failed> {
        let text = tokio::fs::read_to_string(self.pids.join(name)).await?;
        let pid = Pid::from_raw(text.trim().parse()?);
        pid.ok_or_else(|| format!("{name} has no process").into())
    }

    /// Sends a signal, once the process runs.
    async fn signal(&self, name: &str, signal: Signal) -> Result<Pid, Failed> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let pid = self.pid(name).await?;
            match kill_process(pid, signal) {
                Ok(()) => return Ok(pid),
                // It ended a moment ago, and is started again.
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => sleep(POLL).await,
            }
        }
    }

    /// `kill -9`.
    pub(super) async fn kill(&self, name: &str) -> Result<(), Failed> {
        self.signal(name, Signal::KILL).await?;
        Ok(())
    }

    /// Stops a process for a time.
    pub(super) async fn pause(&self, name: &str, time: Duration) -> Result<(), Failed> {
        let pid = self.signal(name, Signal::STOP).await?;
        sleep(time).await;
        // It may have been killed meanwhile.
        kill_process(pid, Signal::CONT).ok();
        Ok(())
    }

    /// Fills a service's disk for a time; `false` if the service doesn't answer.
    pub(super) async fn fill(&self, name: &str, time: Duration) -> Result<bool, Failed> {
        let address = self.addresses.of_service(name);
        let url = format!("http://{}/disk", address.ok_or("only services have disks")?);
        let end = Instant::now() + time;
        let mut is_filled = false;
        // Again and again: the limit is one connection's, which is replaced when it has failed.
        while Instant::now() < end {
            let filled = self.http.put(&url, &Disk { is_full: true }).await;
            is_filled |= filled.is_ok_and(|answer| answer.status.is_success());
            sleep(POLL).await;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.http.put(&url, &Disk { is_full: false }).await {
                Ok(answer) if answer.status.is_success() => break,
                answer if Instant::now() > deadline => {
                    return Err(format!("{name}'s disk stays full: {answer:?}").into());
                }
                _ => sleep(POLL).await,
            }
        }
        Ok(is_filled)
    }

    /// Has a service end at a point, and waits until it has; `false` if it doesn't come there.
    pub(super) async fn die_at(&self, name: &str, point: &str) -> Result<bool, Failed> {
        let address = self.addresses.of_service(name);
        let address = address.ok_or("only services have points")?;
        let before = self.pid(name).await?;
        let url = format!("http://{address}/die/{point}");
        let asked = self.http.post(&url, &[], &json!({})).await;
        if !asked.is_ok_and(|answer| answer.status.is_success()) {
            return Ok(false);
        }
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.pid(name).await? != before {
                return Ok(true);
            }
            sleep(POLL).await;
        }
        Ok(false)
    }
}
