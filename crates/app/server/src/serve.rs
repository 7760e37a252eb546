//! The life cycle of the process.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use stele_app_config::{Loaded, Settings};
use stele_base_env::{Clock, Disk, LocalDisk, OsRng, SystemClock};
use stele_core_broker::{Broker, Running};
use stele_front_accept::{Registry, Sockets, Traced};
use stele_front_admin as admin;
use tokio::{runtime, sync::watch, task::JoinHandle, time::timeout};
use tracing::{error, info, warn};

use crate::{
    banner, cluster_id,
    fronts::{Context, Fronts},
    hosts,
    listeners::{Bound, Listeners},
    logging, memory,
    open_files::{self, OpenFiles},
    panics, ports_file,
    signals::Signals,
    storage, users,
};

/// How long fronts may take to finish work in flight before their connections are cut.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The exit code after a second signal, as shells report it (128 + SIGINT).
const EXIT_CODE_AT_ONCE: i32 = 130;

/// What to run.
#[derive(Debug)]
pub struct Options {
    /// The checked configuration.
    pub loaded: Loaded,
    /// Where to write the open ports.
    pub ports_file: Option<PathBuf>,
    /// Whether this is a throwaway broker whose data is deleted on exit.
    pub is_development: bool,
    /// The version to show.
    pub version: &'static str,
}

/// Runs the broker until a signal stops it. Returns once everything is written.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let settings = &options.loaded.settings;
    let is_text = logging::start(&settings.logging);
    panics::end_the_process();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("front")
        .build()
        .context("cannot start threads")?;
    runtime.block_on(serve(options, is_text))
}

async fn serve(options: &Options, is_text: bool) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let disk: Arc<dyn Disk> = Arc::new(LocalDisk);
    let begun = clock.monotonic();
    let settings = &options.loaded.settings;
    let body_bytes_max = memory::body_bytes_max(settings, &*disk)?;
    let mut signals = Signals::install().context("cannot catch signals")?;
    let listeners = Listeners::bind(settings)?;
    let addresses = listeners.addresses();

    let state = Arc::new(admin::State::new(options.version, Arc::clone(&clock)));
    let allowed = open_files::raise();
    let open_files = OpenFiles::of(allowed, settings, storage::shards(settings).into());
    let (connections, traced) = (Registry::default(), Traced::default());
    let told = (connections.clone(), traced.clone());
    let admin = admin_settings(settings, &listeners.admin, open_files, told)?;
    let admin = Admin::start(admin, Arc::clone(&state), listeners.admin)?;
    let directory = &settings.storage.dir;
    let is_new = !storage::exists(&*disk, directory);

    let (broker, running) = tokio::select! {
        started = recover(settings, open_files, Arc::clone(&disk), Arc::clone(&clock)) => started?,
        name = signals.first() => {
            // An interrupted recovery is safe: the next start repeats it.
            info!(signal = name, "stopped while recovering");
            process::exit(EXIT_CODE_AT_ONCE);
        }
    };

    restrict(&*disk, directory);
    let mut rng = OsRng::new().context("no randomness")?;
    let context = Context {
        cluster_id: cluster_id::of(&*disk, directory, is_new, &mut rng).context("cluster id")?,
        version: options.version,
        clock: Arc::clone(&clock),
        connections,
        traced,
    };
    // A directory keeps the number of shards it was created with.
    let open_files = OpenFiles::of(allowed, settings, broker.shard_counts().len());
    open_files.tell_if_few(allowed, settings);
    storage::tell_if_other_shards(settings, broker.shard_counts().len());
    let sockets = Sockets::at_most(open_files.clients);
    let mut fronts = Fronts::new(&context, settings, &broker, sockets);
    fronts.dead_letters();
    fronts.kafka(listeners.kafka)?;
    fronts.amqp(listeners.amqp, body_bytes_max)?;
    fronts.sqs(listeners.sqs, listeners.sqs_alias)?;

    state.ready(broker.clone(), shown(&addresses));
    if let Some(path) = &options.ports_file {
        ports_file::write(&*disk, path, &addresses)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let ready_after_ms = u64::try_from((clock.monotonic() - begun).as_millis()).unwrap_or(0);
    let facts = banner::Facts {
        version: options.version,
        ready_after_ms,
        addresses: &addresses,
        directory,
        is_development: options.is_development,
    };
    announce(settings, &facts, is_text);

    live(&mut signals, fronts, running, &state).await?;
    admin.stop().await;
    info!("stopped: all acknowledged data is on disk");
    Ok(())
}

/// Recovers in a thread of its own, because it blocks while it reads all data.
async fn recover(
    settings: &Settings,
    open_files: OpenFiles,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(Broker, Running)> {
    let broker_settings = storage::settings(settings, open_files, &*disk);
    info!(directory = %broker_settings.directory.display(), "recovering");
    let started = tokio::task::spawn_blocking(move || -> anyhow::Result<(Broker, Running)> {
        let mut rng = OsRng::new().context("no randomness")?;
        Ok(Broker::start(&broker_settings, disk, clock, &mut rng)?)
    })
    .await;
    started.context("recovery was interrupted")?
}

/// Makes the data directory private: one from an earlier version or from an operator may be
/// readable by others, and so may the files in it.
fn restrict(disk: &dyn Disk, directory: &Path) {
    match disk.restrict_dir(directory) {
        Ok(false) => {}
        Ok(true) => info!(
            directory = %directory.display(),
            "the data directory was accessible to other users; its permissions are now restricted"
        ),
        Err(error) => warn!(
            directory = %directory.display(), %error,
            "the data directory may be accessible to other users: cannot restrict its permissions"
        ),
    }
}

/// Waits for a signal or a failure, then drains.
async fn live(
    signals: &mut Signals,
    mut fronts: Fronts<'_>,
    mut running: Running,
    state: &admin::State,
) -> anyhow::Result<()> {
    tokio::select! {
        name = signals.first() => {
            info!(signal = name, "draining: no new connections; signal again to end at once");
        }
        reason = running.failed() => {
            error!(%reason, "a shard failed; restart to recover");
            bail!("a shard failed: {reason}");
        }
        ended = fronts.ended() => return Err(ended),
    }
    state.draining();
    tokio::select! {
        () = drain(fronts, running) => Ok(()),
        name = signals.second() => {
            warn!(signal = name, "ending immediately");
            process::exit(EXIT_CODE_AT_ONCE);
        }
    }
}

async fn drain(mut fronts: Fronts<'_>, running: Running) {
    if timeout(DRAIN_TIMEOUT, fronts.stop()).await.is_err() {
        warn!("some connections didn't finish in time and are closed");
    }
    info!("fronts have stopped; writing the remaining data");
    running.stop().await;
}

/// One listener per port, with its first address.
fn shown(addresses: &[(&'static str, SocketAddr)]) -> Vec<admin::Listener> {
    addresses
        .chunk_by(|(front, _), (other, _)| front == other)
        .filter_map(<[_]>::first)
        .map(|(front, address)| admin::Listener {
            front,
            address: *address,
        })
        .collect()
}

/// Announces that the process is ready: as the banner on a terminal, as one event in JSON logs.
fn announce(settings: &Settings, facts: &banner::Facts<'_>, is_text: bool) {
    if is_text {
        // A failed write to stderr must not end the process.
        drop(writeln!(io::stderr(), "{}", banner::text(settings, facts)));
    } else {
        let addresses: Vec<String> = facts
            .addresses
            .iter()
            .map(|(name, address)| format!("{name}={address}"))
            .collect();
        let ready_after_ms = facts.ready_after_ms;
        info!(ready_after_ms, addresses = addresses.join(" "), "ready");
    }
}

/// The admin front, which is stopped after the others.
struct Admin {
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

fn admin_settings(
    settings: &Settings,
    bound: &Bound,
    open_files: OpenFiles,
    (connections, traced): (Registry, Traced),
) -> anyhow::Result<admin::Settings> {
    let anybody = bound.is_loopback() || settings.auth.insecure;
    let users = if anybody {
        None
    } else {
        Some(users::of(&settings.auth)?)
    };
    Ok(admin::Settings {
        users,
        hosts: hosts::of(settings),
        connections,
        traced,
        rabbitmq_version: settings.amqp.rabbitmq_version.clone(),
        sockets: Sockets::at_most(open_files.admin),
    })
}

impl Admin {
    fn start(
        settings: admin::Settings,
        state: Arc<admin::State>,
        bound: Bound,
    ) -> anyhow::Result<Self> {
        let (stop, stopping) = watch::channel(false);
        let listening = bound.listen()?;
        let served = tokio::spawn(admin::serve(state, settings, listening, stopping));
        Ok(Self { stop, served })
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in it would have ended the process.
        drop(self.served.await);
    }
}
