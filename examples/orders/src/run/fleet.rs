//! Processes that are kept running.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    fs::{self, OpenOptions},
    process::{Child, Command},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::programs::{Program, ROUNDS};
use crate::process::{Failed, write_whole};

/// How long a process may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to end once it is asked to. Then it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// The time before what has ended by itself is started again.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How often to look for the file that says that a process is ready.
const POLL: Duration = Duration::from_millis(10);

/// The processes. Each has a file `logs/NAME.log`, and `pids/NAME` while it runs. Dropping it kills
/// them.
#[derive(Debug)]
pub(super) struct Fleet {
    dir: PathBuf,
    /// The round that has been asked to end, and 0 while all run.
    ended: watch::Sender<usize>,
    rounds: [JoinSet<()>; ROUNDS],
    starting: Vec<PathBuf>,
}

impl Fleet {
    /// None yet. Logs go to a directory.
    pub(super) async fn new(dir: &Path) -> Result<Self, Failed> {
        fs::create_dir_all(dir.join("logs")).await?;
        fs::create_dir_all(dir.join("pids")).await?;
        Ok(Self {
            dir: dir.to_owned(),
            ended: watch::Sender::new(0),
            rounds: Default::default(),
            starting: Vec::new(),
        })
    }

    /// Starts a process, and keeps it running.
    pub(super) async fn start(&mut self, program: Program) -> Result<(), Failed> {
        // Of an earlier run; a missing one is as good.
        fs::remove_file(&program.ready).await.ok();
        self.starting.push(program.ready.clone());
        let told = |error: io::Error| format!("{}: {error}", program.program.display());
        let child = spawn(&self.dir, &program).await.map_err(told)?;
        let round = program.round;
        let keeping = keep(self.dir.clone(), program, child, self.ended.subscribe());
        self.rounds[round].spawn(keeping);
        Ok(())
    }

    /// Returns when all that were started are ready.
    pub(super) async fn ready(&self) -> Result<(), Failed> {
        for file in &self.starting {
            let ready = async {
                while fs::metadata(file).await.is_err() {
                    sleep(POLL).await;
                }
            };
            let late = |_| format!("{} wasn't written in time", file.display());
            timeout(READY_TIMEOUT, ready).await.map_err(late)?;
        }
        Ok(())
    }

    /// Ends all of them, those who depend on others first.
    pub(super) async fn stop(mut self) -> Result<(), Failed> {
        for (round, running) in self.rounds.iter_mut().enumerate() {
            self.ended.send_replace(round + 1);
            while let Some(ended) = running.join_next().await {
                ended?;
            }
        }
        Ok(())
    }
}

/// Keeps a process running until its round is asked to end.
async fn keep(dir: PathBuf, program: Program, mut child: Child, mut ended: watch::Receiver<usize>) {
    loop {
        let status = tokio::select! {
            () = is_over(&mut ended, program.round) => return end(child).await,
            status = child.wait() => status,
        };
        let name = program.name;
        tracing::warn!(name, "ended ({status:?}), is started again");
        child = loop {
            tokio::select! {
                () = is_over(&mut ended, program.round) => return,
                () = sleep(AGAIN_AFTER) => {}
            }
            match spawn(&dir, &program).await {
                Ok(again) => break again,
                Err(error) => tracing::error!(name, %error, "can't be started"),
            }
        };
    }
}

/// Returns when a round is asked to end, or the fleet is gone.
async fn is_over(ended: &mut watch::Receiver<usize>, round: usize) {
    ended.wait_for(|ended| *ended > round).await.ok();
}

async fn spawn(dir: &Path, program: &Program) -> io::Result<Child> {
    let log = dir.join("logs").join(format!("{}.log", program.name));
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .await?;
    let log = log.into_std().await;
    let child = Command::new(&program.program)
        .args(&program.arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C reaches this process alone, which ends the others in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().unwrap_or_default().to_string();
    write_whole(&dir.join("pids").join(program.name), pid.as_bytes()).await?;
    Ok(child)
}

/// Asks a process to end, and kills it if it doesn't.
async fn end(mut child: Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        // It may have ended a moment ago.
        kill_process(pid, Signal::TERM).ok();
    }
    if timeout(END_TIMEOUT, child.wait()).await.is_err() {
        tracing::warn!(?pid, "killed, since it doesn't end");
        child.kill().await.ok();
    }
}
