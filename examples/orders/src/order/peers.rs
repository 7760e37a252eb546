//! The other services, as far as the page needs them: what they do, and what they can be asked to.

use std::{
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::StatusCode;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    activity::{self, Activity},
    http::{Answer, HttpClient, NoAnswer},
    problem::Problem,
    process::{Failed, Process},
    settings::{ServiceSettings, Style},
    topology::{ORDER, SAGA},
};

/// How long another service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The name of this process among them.
pub(super) const OWN: &str = "order";

/// Another service: `NAME=http://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name: `inventory`.
    pub name: String,
    /// Its HTTP interface.
    pub url: String,
}

impl FromStr for Peer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, url) = text.split_once('=').ok_or("not NAME=URL")?;
        Ok(Self {
            name: name.to_owned(),
            url: url.to_owned(),
        })
    }
}

/// The other services.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    all: Vec<Peer>,
    http: HttpClient,
}

/// What the page has to know of the shop.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shop {
    transport: &'static str,
    style: &'static str,
    lanes: Vec<Lane>,
}

/// A service, and whether its process is there.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Lane {
    service: String,
    process: String,
    is_up: bool,
}

impl Peers {
    pub(super) fn new(all: Vec<Peer>) -> Self {
        let http = HttpClient::new(TIMEOUT);
        Self { all, http }
    }

    /// The names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|peer| peer.name.as_str())
    }

    /// Takes over what all of them do into the process's own activity.
    pub(super) fn follow(
        &self,
        settings: &ServiceSettings,
        process: &mut Process,
    ) -> Result<(), Failed> {
        let shop = Shop::new(settings, &self.all);
        process.activity.notify(&shop)?;
        let shop = Arc::new(Mutex::new(shop));
        for peer in self.all.clone() {
            let (shop, activity) = (Arc::clone(&shop), process.activity.clone());
            process.beside(async move {
                let is_there = |is_up| note(&shop, &activity, &peer.name, is_up);
                match activity::follow(&peer.url, &activity, is_there).await {}
            });
        }
        Ok(())
    }

    /// Asks one of them.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        name: &str,
        path: &str,
    ) -> Result<T, Problem> {
        let url = self.url(name, path)?;
        answered(self.http.get(&url).await)
    }

    /// Has one of them do something.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        name: &str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Problem> {
        let url = self.url(name, path)?;
        answered(self.http.post(&url, &[], body).await)
    }

    /// Has one of them replace something.
    pub(super) async fn put<T: DeserializeOwned>(
        &self,
        name: &str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, Problem> {
        let url = self.url(name, path)?;
        answered(self.http.put(&url, body).await)
    }

    fn url(&self, name: &str, path: &str) -> Result<String, Problem> {
        let peer = self.all.iter().find(|peer| peer.name == name);
        let peer = peer.ok_or_else(|| Problem::not_found(format!("no service {name}")))?;
        Ok(format!("{}{path}", peer.url))
    }
}

impl Shop {
    fn new(settings: &ServiceSettings, peers: &[Peer]) -> Self {
        let own = |service: &str| Lane {
            service: service.to_owned(),
            process: OWN.to_owned(),
            is_up: true,
        };
        let mut lanes = vec![own(ORDER)];
        if settings.style == Style::Orchestrated {
            lanes.push(own(SAGA));
        }
        lanes.extend(peers.iter().map(|peer| Lane {
            service: format!("shop.{}", peer.name),
            process: peer.name.clone(),
            is_up: false,
        }));
        Self {
            transport: settings.protocol.name(),
            style: settings.style.name(),
            lanes,
        }
    }
}

/// Tells those who look that a process is there, or isn't any more.
fn note(shop: &Mutex<Shop>, activity: &Activity, process: &str, is_up: bool) {
    // Whole at any time.
    let mut shop = shop.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lanes = shop.lanes.iter_mut();
    let changed = lanes.find(|lane| lane.process == process && lane.is_up != is_up);
    if let Some(lane) = changed {
        lane.is_up = is_up;
        if let Err(error) = activity.notify(&*shop) {
            tracing::error!(%error, "the state of the shop can't be told");
        }
    }
}

fn answered<T: DeserializeOwned>(answer: Result<Answer, NoAnswer>) -> Result<T, Problem> {
    let answer = answer.map_err(Problem::unavailable)?;
    match answer.status {
        status if status.is_success() => answer.json().map_err(Problem::fault),
        StatusCode::NOT_FOUND => Err(Problem::not_found(answer.text())),
        status if status.is_client_error() => Err(Problem::invalid(answer.text())),
        _ => Err(Problem::unavailable(answer.text())),
    }
}
