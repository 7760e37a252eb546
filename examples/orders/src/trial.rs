//! A shop that a command opens by itself, to see what becomes of orders in it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{
    process::Failed,
    settings::{Protocol, Style},
};

/// How long it may take until it is open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(20);

/// The combinations of protocol and style.
pub const COMBINATIONS: [(Protocol, Style); 6] = [
    (Protocol::Kafka, Style::Choreographed),
    (Protocol::Kafka, Style::Orchestrated),
    (Protocol::Amqp, Style::Choreographed),
    (Protocol::Amqp, Style::Orchestrated),
    (Protocol::Sqs, Style::Choreographed),
    (Protocol::Sqs, Style::Orchestrated),
];

/// Which shops are opened.
#[derive(clap::Args, Clone, Debug)]
pub struct TrialSettings {
    /// The program `stele`
    #[arg(long, default_value = "stele")]
    pub stele: PathBuf,

    /// A directory for the shops, which keep their files there; otherwise they are deleted
    #[arg(long)]
    pub dir: Option<PathBuf>,

    /// Only shops over this protocol
    #[arg(long = "transport", value_enum)]
    pub protocol: Option<Protocol>,

    /// Only shops of this style
    #[arg(long, value_enum)]
    pub style: Option<Style>,
}

/// A shop that runs. It is killed when it is dropped.
#[derive(Debug)]
pub struct Trial {
    process: Child,
    dir: PathBuf,
}

impl TrialSettings {
    /// The combinations that are wanted.
    pub fn combinations(&self) -> impl Iterator<Item = (Protocol, Style)> {
        let (protocol, style) = (self.protocol, self.style);
        let wanted = move |it: &(Protocol, Style)| {
            protocol.is_none_or(|protocol| protocol == it.0)
                && style.is_none_or(|style| style == it.1)
        };
        COMBINATIONS.into_iter().filter(wanted)
    }
}

impl Trial {
    /// Opens a shop that keeps its files in a directory, with more options of `shop run`.
    pub async fn open(
        settings: &TrialSettings,
        (protocol, style): (Protocol, Style),
        dir: &Path,
        options: &[String],
    ) -> Result<Self, Failed> {
        let process = Command::new(std::env::current_exe()?)
            .args(["--log", "warn", "run", "--http", "127.0.0.1:0"])
            .args(["--transport", protocol.name(), "--style", style.name()])
            .arg("--stele")
            .arg(&settings.stele)
            .arg("--dir")
            .arg(dir)
            .args(options)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut trial = Self {
            process,
            dir: dir.to_owned(),
        };
        let deadline = Instant::now() + OPEN_TIMEOUT;
        while tokio::fs::metadata(dir.join("addresses.json"))
            .await
            .is_err()
        {
            if let Some(ended) = trial.process.try_wait()? {
                return Err(format!("the shop ended: {ended}").into());
            }
            if Instant::now() > deadline {
                return Err("the shop doesn't open".into());
            }
            sleep(POLL).await;
        }
        Ok(trial)
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Closes it.
    pub async fn close(mut self) -> Result<(), Failed> {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let ended = self.process.wait().await?;
        match ended.success() {
            true => Ok(()),
            false => Err(format!("the shop ended: {ended}").into()),
        }
    }
}
