//! What all processes of services have in common: a database, a transport, an HTTP interface, and
//! an orderly end.

use std::{error::Error, future::Future, io, path::Path, sync::Arc, time::Duration};

use axum::{Router, extract::State, routing::get};
use prometheus_client::registry::Registry;
use stele_toolkit_bus::{Event, Metrics, Running, Service, Transport, asked_to_end};
use stele_toolkit_envelope::Message;
use stele_toolkit_sql::{Db, Options, OutboxMetrics};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinError, JoinSet},
};

use crate::{
    activity::Activity,
    counts::Traffic,
    faults::{Death, FaultSettings, Guards, disk},
    letters,
    problem::Problem,
    settings::{HttpSettings, ServiceSettings},
    topology, transport,
};

/// Why a process ends, for people.
pub type Failed = Box<dyn Error + Send + Sync>;

/// How long to wait before the broker is tried again.
const BROKER_PAUSE: Duration = Duration::from_millis(200);

/// A process that serves a part of the shop.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    /// The database of the service.
    pub db: Db,
    /// The way to the other services.
    pub transport: Arc<dyn Transport>,
    /// What the process does, for those who look.
    pub activity: Activity,
    /// The guards that are on.
    pub guards: Guards,
    faults: FaultSettings,
    death: Death,
    /// Services with a database of their own.
    apart: Vec<(Service, Db)>,
    metrics: Metrics,
    traffic: Traffic,
    http: HttpSettings,
    tasks: JoinSet<Result<(), Failed>>,
    stop: watch::Sender<bool>,
}

impl Process {
    /// Opens the database, and waits for the broker. The name is that of the service.
    pub async fn open(settings: &ServiceSettings, name: &'static str) -> Result<Self, Failed> {
        let faults = settings.faults.clone();
        let transport = transport::open(settings.protocol, &settings.broker, name)?;
        let traffic = Traffic::default();
        let transport = traffic.count(transport);
        let death = Death::default();
        let transport = faults.transport(transport, name, &death);
        let topology = topology::of(settings.style);
        let db = open_db(&settings.db, name, &death).await?;
        while let Err(error) = transport.declare(&topology).await {
            if !error.is_transient() {
                return Err(error.into());
            }
            tracing::warn!(%error, "waiting for the broker");
            tokio::time::sleep(BROKER_PAUSE).await;
        }
        Ok(Self {
            name,
            db,
            transport,
            activity: Activity::new(),
            guards: faults.guards(),
            faults,
            death,
            apart: Vec::new(),
            metrics: Metrics::default(),
            traffic,
            http: settings.http.clone(),
            tasks: JoinSet::new(),
            stop: watch::Sender::new(false),
        })
    }

    /// Runs something beside the services. It is dropped when they have ended; if it ends before
    /// them, the process does.
    pub fn beside(&mut self, task: impl Future<Output = Result<(), Failed>> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Opens another database, for what isn't written together with the service's own rows.
    pub async fn open_db(&self, url: &str) -> Result<Db, Failed> {
        Ok(open_db(url, self.name, &self.death).await?)
    }

    /// Has a service run with another database than the process's own.
    pub fn apart(&mut self, service: Service, db: Db) {
        self.apart.push((service, db));
    }

    /// Runs services and an HTTP interface, until the process is asked to end (SIGINT or SIGTERM)
    /// or a part of it can't go on.
    pub async fn run(mut self, services: Vec<Service>, router: Router) -> Result<(), Failed> {
        let asked = asked_to_end()?;
        let own = services.into_iter().map(|it| (it, self.db.clone()));
        let apart = self.apart.iter().map(|(_, db)| db.clone());
        let databases: Vec<_> = [self.db.clone()].into_iter().chain(apart).collect();
        let mut running = JoinSet::new();
        for (service, db) in own.chain(self.apart) {
            let service = service.metrics(&self.metrics);
            let service = service.observer(self.activity.clone());
            let store = self.faults.store(&db, &self.transport);
            let started = service.start(store, Arc::clone(&self.transport)).await?;
            running.spawn(until(started, self.stop.subscribe()));
        }
        let mut router = router
            .merge(observed(&self.metrics, self.traffic, databases.clone()))
            .merge(self.activity.router())
            .merge(letters::router(databases.clone()));
        if self.faults.mortal {
            router = router.merge(self.death.router());
            router = router.merge(disk::router(databases));
        }
        self.tasks.spawn(serve(self.http.clone(), router));
        let ended = tokio::select! {
            () = asked => Ok(()),
            Some(ended) = running.join_next() => early("a service", ended),
            Some(ended) = self.tasks.join_next() => early("a task", ended),
        };
        self.stop.send_replace(true);
        while let Some(stopped) = running.join_next().await {
            stopped??;
        }
        ended
    }
}

/// Opens a database under the name of the service, of which one process runs at a time. So what the
/// one before had leased when it was killed is this one's at once.
async fn open_db(url: &str, name: &str, death: &Death) -> Result<Db, stele_toolkit_sql::Error> {
    let options = Options::new().process(name);
    let options = options.failpoint(Arc::new(death.clone()));
    options.open(url).await
}

/// Runs a service until it is to stop.
async fn until(mut service: Running, mut stop: watch::Receiver<bool>) -> Result<(), Failed> {
    tokio::select! {
        ended = service.ended() => return Ok(ended?),
        // It fails only once the sender is gone, which is as good.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(service.stop().await?)
}

/// What has ended although nobody asked it to.
fn early(what: &str, ended: Result<Result<(), Failed>, JoinError>) -> Result<(), Failed> {
    match ended? {
        Ok(()) => Err(format!("{what} ended by itself").into()),
        Err(error) => Err(error),
    }
}

/// What `/metrics` shows.
#[derive(Clone, Debug)]
struct Observed {
    databases: Vec<Db>,
    registry: Arc<Registry>,
    outbox: OutboxMetrics,
    traffic: Traffic,
}

/// Whether the process is well, and its metrics.
fn observed(metrics: &Metrics, traffic: Traffic, databases: Vec<Db>) -> Router {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let outbox = OutboxMetrics::default();
    outbox.register(&mut registry);
    traffic.register(&mut registry);
    let observed = Observed {
        databases,
        registry: Arc::new(registry),
        outbox,
        traffic,
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(show_metrics))
        .with_state(observed)
}

async fn show_metrics(State(observed): State<Observed>) -> Result<String, Problem> {
    // The first is the service's own.
    if let Some(db) = observed.databases.first() {
        observed.outbox.update(db).await?;
    }
    observed.traffic.update(&observed.databases);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &observed.registry)
        .map_err(Problem::fault)?;
    Ok(text)
}

/// Serves HTTP for as long as it is polled. Says where, once it listens.
pub async fn serve(settings: HttpSettings, router: Router) -> Result<(), Failed> {
    let listener = TcpListener::bind(settings.address).await?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "listening");
    if let Some(file) = &settings.address_file {
        write_whole(file, address.to_string().as_bytes()).await?;
    }
    axum::serve(listener, router).await?;
    Ok(())
}

/// Writes a file. Whoever looks at it sees all of it, or what was there before.
pub async fn write_whole(file: &Path, text: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension("unfinished");
    tokio::fs::write(&unfinished, text).await?;
    tokio::fs::rename(&unfinished, file).await
}

/// Handles messages of a type that a topic brings along with others, and that are of no use to the
/// service.
pub async fn pass_over<M: Message>(_: Event<M>) {}
